//! stub
#![allow(missing_docs)]
use super::reader::Fields;
#[derive(Clone, Debug, PartialEq)]
pub struct PredictorDefinition { pub name: String }
impl PredictorDefinition { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<PredictorDefinition> { Some(PredictorDefinition { name }) } }
#[derive(Clone, Debug, PartialEq)]
pub struct PredictorLabel { pub name: String }
impl PredictorLabel { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<PredictorLabel> { Some(PredictorLabel { name }) } }
#[derive(Clone, Debug, PartialEq)]
pub struct PredictorTask { pub name: String }
impl PredictorTask { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<PredictorTask> { Some(PredictorTask { name }) } }
#[derive(Clone, Debug, PartialEq)]
pub struct RuleCohort { pub name: String }
impl RuleCohort { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<RuleCohort> { Some(RuleCohort { name }) } }
#[derive(Clone, Debug, PartialEq)]
pub struct TextField { pub name: String }
impl TextField { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<TextField> { Some(TextField { name }) } }
