//! The ways out: decisions at request time and exports to files.
//!
//! Every way out names a purpose and passes the consent policy. A file is replaced atomically and holds no live
//! spreadsheet formula; nothing leaves half written.

mod csv_file;
mod decide;

pub(crate) use csv_file::{ExportFormat, write_file};
pub(crate) use decide::choose;
