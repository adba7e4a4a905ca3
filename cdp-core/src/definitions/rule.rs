//! stub
#![allow(missing_docs)]
use super::reader::Fields;
#[derive(Clone, Debug, PartialEq)]
pub struct Rule { pub name: String }
impl Rule { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<Rule> { Some(Rule { name }) } }
