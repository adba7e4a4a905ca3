//! Tests of the handle that change the bytes of a store.

mod foreign_blocks;
