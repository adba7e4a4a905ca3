//! The process that `tests/files.rs` stops in the middle of a backup: opens a store and backs it up, nothing else.

use cdp_core::{Cdp, Error, OpenOptions, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(store), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err(Error::invalid("usage: backup_worker STORE TARGET"));
    };
    let db = Cdp::open(OpenOptions::file(store))?;
    db.backup(std::path::Path::new(&target))?;
    db.close()
}
