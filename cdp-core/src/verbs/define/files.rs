//! Definitions from files: one `.json` file, or every such file of a folder.

use std::path::{Path, PathBuf};

use crate::engine::handle::Cdp;
use crate::error::{Error, ErrorKind, Result};
use crate::records::Value;
use crate::verbs::define::plan::DefineResult;

impl Cdp {
    /// Stores the definitions of a `.json` file (one definition or a list), or of every such file of a folder, as
    /// [`Cdp::define`] does.
    ///
    /// # Errors
    /// `not_found` if there is no such file, `invalid` if one is not JSON.
    pub fn define_path(&self, path: impl AsRef<Path>) -> Result<Vec<DefineResult>> {
        self.define(read_definitions(path.as_ref())?)
    }

    /// The results that [`Cdp::define_path`] would give; nothing is stored.
    pub fn define_path_dry_run(&self, path: impl AsRef<Path>) -> Result<Vec<DefineResult>> {
        self.define_dry_run(read_definitions(path.as_ref())?)
    }
}

fn read_definitions(path: &Path) -> Result<Vec<Value>> {
    let mut files = Vec::new();
    find_json(path, &mut files)?;
    if files.is_empty() {
        return Err(Error::not_found(format!("no .json file in the folder {}", path.display())));
    }
    files.sort();
    let mut definitions = Vec::new();
    for file in files {
        crate::store::refuse_input(&file)?;
        match Value::parse(&std::fs::read(&file).map_err(|error| unreadable(&file, &error))?) {
            Ok(Value::List(list)) => definitions.extend(list),
            Ok(one) => definitions.push(one),
            Err(fault) => return Err(Error::invalid(format!("{}: {fault}", file.display()))),
        }
    }
    Ok(definitions)
}

/// Gathers a file as it is, or the `.json` files of a folder and the folders in it.
fn find_json(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let entry = entry.map_err(|error| unreadable(path, &error))?.path();
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "json") {
            find_json(&entry, files)?;
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("the definitions {} cannot be read: {}", path.display(), error.kind()))
        .with_hint("give a .json file or a folder of them")
}
