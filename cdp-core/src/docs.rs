//! Guides: how identifiers become profiles, what a definition may contain, how records are linked, how models learn, how to run a store, and how the core is
//! divided.
//!
//! The pages lie in `cdp-core/docs` and are included here so that their Rust examples are compiled and run with the tests.
//! Examples in Python and Node are run by `tests/readme.py`.

#[doc = include_str!("../docs/quickstart.md")]
pub mod quickstart {}

#[doc = include_str!("../docs/identity.md")]
pub mod identity {}

#[doc = include_str!("../docs/definitions.md")]
pub mod definitions {}

#[doc = include_str!("../docs/linkage.md")]
pub mod linkage {}

#[doc = include_str!("../docs/learning.md")]
pub mod learning {}

#[doc = include_str!("../docs/operations.md")]
pub mod operations {}

#[doc = include_str!("../docs/ARCHITECTURE.md")]
pub mod architecture {}
