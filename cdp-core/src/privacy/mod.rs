//! Consent of a person: extracts choices from messages, and resolves their state.
//!
//! It takes the choices on a profile's nodes and leaves nothing in the store. An explicit denial always counts, a
//! disagreement between joined profiles denies until a new choice, and the consent policy decides where there is no
//! choice. It never guesses a grant.

mod consent;
mod gate;

pub(crate) use consent::{Choice, ConsentState, choices, effective, resolve};
pub(crate) use gate::{Gate, Withheld};
