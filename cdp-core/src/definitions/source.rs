//! stub
#![allow(missing_docs)]
use super::reader::Fields;
#[derive(Clone, Debug, PartialEq)]
pub struct SourceDefinition { pub name: String }
impl SourceDefinition { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<SourceDefinition> { Some(SourceDefinition { name }) } }
