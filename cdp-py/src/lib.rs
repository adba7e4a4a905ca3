//! `cdp._native`: the core's verbs, tables and errors for Python, and nothing more.
//!
//! The typed face that people use is the package in `python/cdp`. Every rule lives in the core.

use pyo3::prelude::*;

mod arrow_rows;
mod data;
mod door;
mod frame;
mod link;
mod ml;
mod store;
mod values;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The embedded customer data platform, compiled.
#[pymodule]
mod _native {
    use cdp_core::wire;
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_export]
    use super::frame::Frame;
    #[pymodule_export]
    use super::link::Links;
    #[pymodule_export]
    use super::ml::{TextModel, assign_cohorts};
    #[pymodule_export]
    use super::store::Store;

    /// `VERBS`: the verb table as tuples of name, `read` or `write`, and the names of the parameters.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        let verbs = wire::verbs().map(|verb| {
            Ok((verb.name, verb.access.as_str(), PyTuple::new(py, verb.parameter_names().collect::<Vec<_>>())?))
        });
        module.add("VERBS", PyTuple::new(py, verbs.collect::<PyResult<Vec<_>>>()?)?)
    }
}
