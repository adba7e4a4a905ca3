//! An embedded customer data platform over one SQLite file.

pub mod clock;
pub mod definitions;
pub mod error;
pub mod intake;
pub mod records;
pub mod rules;

pub use clock::Clock;
pub use error::{Error, ErrorKind, Fault, Result};
