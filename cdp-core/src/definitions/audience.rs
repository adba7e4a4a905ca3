//! stub
#![allow(missing_docs)]
use super::reader::Fields;
#[derive(Clone, Debug, PartialEq)]
pub struct AudienceDefinition { pub name: String }
impl AudienceDefinition { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<AudienceDefinition> { Some(AudienceDefinition { name }) } }
#[derive(Clone, Debug, PartialEq)]
pub struct Population { pub name: String }
impl Population { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<Population> { Some(Population { name }) } }
