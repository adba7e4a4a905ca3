//! The definitions that hold at one moment, by kind and name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    AudienceDefinition, Body, ConsentPolicyDefinition, Definition, DestinationDefinition, FeatureDefinition,
    IdentityDefinition, Kind, PolicyDefinition, PredictorDefinition, SourceDefinition,
};
use crate::error::{Error, Result};

/// A definition with the version under which the store keeps it.
#[derive(Clone, Debug)]
pub struct Versioned {
    /// Counted from one for each (kind, name).
    pub version: u32,
    /// The definition.
    pub definition: Arc<Definition>,
}

/// The definitions that hold, looked up by kind and name.
#[derive(Clone, Debug)]
pub struct Catalog {
    definitions: BTreeMap<Kind, BTreeMap<String, Versioned>>,
    segment: Arc<IdentityDefinition>,
}

impl Default for Catalog {
    fn default() -> Catalog {
        Catalog { definitions: BTreeMap::new(), segment: Arc::new(IdentityDefinition::segment()) }
    }
}

macro_rules! lookup {
    ($name:ident, $all:ident, $kind:ident, $body:ident, $type:ty, $word:literal) => {
        #[doc = concat!("The ", $word, " of this name, or an error that lists those there are.")]
        pub fn $name(&self, name: &str) -> Result<&$type> {
            match self.get(Kind::$kind, name).map(|found| &found.definition.body) {
                Some(Body::$body(body)) => Ok(body),
                _ => Err(self.missing(Kind::$kind, name)),
            }
        }

        #[doc = concat!("Every ", $word, ", in the order of their names.")]
        pub fn $all(&self) -> impl Iterator<Item = &$type> {
            self.of_kind(Kind::$kind).filter_map(|found| match &found.definition.body {
                Body::$body(body) => Some(body),
                _ => None,
            })
        }
    };
}

impl Catalog {
    lookup!(feature, features, Feature, Feature, FeatureDefinition, "feature");
    lookup!(audience, audiences, Audience, Audience, AudienceDefinition, "audience");
    lookup!(source, sources, Source, Source, SourceDefinition, "source");
    lookup!(predictor, predictors, Predictor, Predictor, PredictorDefinition, "predictor");
    lookup!(policy, policies, Policy, Policy, PolicyDefinition, "policy");
    lookup!(destination, destinations, Destination, Destination, DestinationDefinition, "destination");

    /// The identity definition that holds: the one that was defined, else the preset `segment`.
    pub fn identity(&self) -> &IdentityDefinition {
        let defined = self.of_kind(Kind::Identity).find_map(|found| match &found.definition.body {
            Body::Identity(identity) => Some(identity),
            _ => None,
        });
        defined.unwrap_or(&self.segment)
    }

    /// The consent policy that was defined, if any.
    pub fn consent_policy(&self) -> Option<&ConsentPolicyDefinition> {
        self.of_kind(Kind::ConsentPolicy).find_map(|found| match &found.definition.body {
            Body::ConsentPolicy(policy) => Some(policy),
            _ => None,
        })
    }

    /// Adds a definition or puts it in the place of the one that had its kind and name.
    pub fn insert(&mut self, version: u32, definition: Arc<Definition>) {
        let of_kind = self.definitions.entry(definition.kind()).or_default();
        of_kind.insert(definition.name.clone(), Versioned { version, definition });
    }

    /// Takes a definition out.
    pub fn remove(&mut self, kind: Kind, name: &str) -> Option<Versioned> {
        self.definitions.get_mut(&kind)?.remove(name)
    }

    /// The definition of this kind and name.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Versioned> {
        self.definitions.get(&kind)?.get(name)
    }

    /// The definition of this kind and name, or an error that lists those there are.
    pub fn require(&self, kind: Kind, name: &str) -> Result<&Versioned> {
        self.get(kind, name).ok_or_else(|| self.missing(kind, name))
    }

    /// Every definition, by kind and name.
    pub fn iter(&self) -> impl Iterator<Item = &Versioned> {
        self.definitions.values().flat_map(BTreeMap::values)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Versioned> {
        self.definitions.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    fn missing(&self, kind: Kind, name: &str) -> Error {
        let names: Vec<&str> =
            self.definitions.get(&kind).into_iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
        let word = kind.as_str();
        let error = Error::not_found(format!("no {word} named `{name}` is defined"));
        error.with_hint(match names.is_empty() {
            true => format!("define one: define({{\"kind\": \"{word}\", \"name\": ..., ...}})"),
            false => super::near_or_all(name, "there are", &names),
        })
    }
}
