//! stub
#![allow(missing_docs)]
use super::reader::Fields;
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyDefinition { pub name: String }
impl PolicyDefinition { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<PolicyDefinition> { Some(PolicyDefinition { name }) } }
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyChoice { pub name: String }
impl PolicyChoice { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<PolicyChoice> { Some(PolicyChoice { name }) } }
