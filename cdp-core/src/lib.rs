//! An embedded customer data platform over one SQLite file.
//!
//! It collects events in the Segment dialect, unifies them into people, aggregates their behavior, keeps audiences,
//! predicts cohorts, decides and exports, in the process of the application that links it in.
//!
//! The modules, in the order in which data flows through them:
//!
//! - [`records`]: the plain data that flows; [`definitions`]: everything declarative; `rules`: the one rule tree at
//!   work, and the values of features
//! - `store`: the file, and RAM as its last committed state
//! - `intake`: bytes to messages; `identity`: who is who; [`linkage`]: which records
//!   are probably one person; `audiences`: membership and its flips; [`predict`]: cohorts; `privacy`: consent
//! - [`Cdp`]: the handle and the order of the flow; [`wire`]: the verb table that the bindings call
//!
//! Start with [`Cdp`], or with a guide of [`docs`].

#![forbid(unsafe_code)]

mod audiences;
pub mod cdp;
pub mod clock;
pub mod definitions;
pub mod docs;
mod engine;
pub mod error;
mod identity;
mod intake;
pub mod linkage;
pub mod predict;
mod privacy;
pub mod records;
#[expect(unreachable_pub, reason = "the items of this module are narrowed when it is split by leaf and aggregate")]
mod rules;
mod stop;
mod store;
mod sync;
mod verbs;
pub mod wire;

pub use cdp::{Cdp, OpenOptions};
pub use clock::Clock;
pub use definitions::builders as define;
pub use error::{Error, ErrorKind, Fault, Result};
#[cfg(feature = "measured")]
#[doc(hidden)]
pub use identity::measured;
pub use linkage::{link, link_two};
pub use store::Durability;

/// The handle and what it gives may be shared between threads.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Cdp>();
    is_shared::<OpenOptions>();
    is_shared::<Error>();
    is_shared::<records::Value>();
    is_shared::<records::Frame>();
    is_shared::<records::Identifier>();
};
