//! What a person allows: choices out of messages, and the state that follows from them.
//!
//! Takes the choices on a profile's nodes; leaves nothing in the store. An explicit denial always counts, a
//! disagreement between joined profiles denies until somebody chooses again, and what nobody said is answered by the
//! consent policy. It never guesses a grant.

mod consent;
mod gate;

pub(crate) use consent::{Choice, ConsentState, choices, effective, resolve};
pub(crate) use gate::{Gate, Withheld};
