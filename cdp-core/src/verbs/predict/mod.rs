//! Predictors: trained, asked, judged.

pub(crate) mod judge;
pub(crate) mod predictions;
pub(crate) mod registry;
pub(crate) mod score;
pub(crate) mod similar;
pub(crate) mod train;
pub(crate) mod training_data;
pub(crate) mod training_rows;
pub(crate) mod wire;
