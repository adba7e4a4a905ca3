//! An embedded customer data platform over one SQLite file.
//!
//! It collects events in the Segment dialect, unifies them into people, aggregates their behavior, keeps audiences,
//! predicts cohorts, decides and exports, in the process of the application that links it in.
//!
//! The rooms, in the order in which data flows through them:
//!
//! - [`records`]: the plain data that flows; [`definitions`]: everything declarative; [`rules`]: the one rule tree at work
//! - `store`: the file, and RAM as its last committed state
//! - [`intake`]: bytes to messages; `identity`: who is who; [`features`]: values from timelines; `audiences`: membership
//!   and its flips; [`predict`]: cohorts; `activate`: decisions and exports; `privacy`: consent
//! - [`Cdp`]: the handle and the order of the flow; [`wire`]: the verb table that the bindings call
//!
//! Start with [`Cdp`], or with a guide of [`docs`].

#![forbid(unsafe_code)]

mod activate;
mod audiences;
pub mod cdp;
pub mod clock;
pub mod definitions;
pub mod docs;
pub mod error;
pub mod features;
mod identity;
pub mod intake;
pub mod predict;
mod privacy;
pub mod records;
pub mod rules;
mod store;
pub mod wire;

pub use cdp::{Cdp, OpenOptions};
pub use clock::Clock;
pub use error::{Error, ErrorKind, Fault, Result};
pub use identity::linkage::{self, link, link_two};
#[cfg(feature = "measured")]
#[doc(hidden)]
pub use identity::measured;
pub use store::Durability;
