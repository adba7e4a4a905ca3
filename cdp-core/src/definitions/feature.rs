//! stub
#![allow(missing_docs)]
use super::reader::Fields;
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureDefinition { pub name: String }
impl FeatureDefinition { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<FeatureDefinition> { Some(FeatureDefinition { name }) } }
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate { pub name: String }
impl Aggregate { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<Aggregate> { Some(Aggregate { name }) } }
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureWindow { pub name: String }
impl FeatureWindow { pub(crate) fn read(name: String, _fields: &mut Fields<'_>) -> Option<FeatureWindow> { Some(FeatureWindow { name }) } }
