//! The traits of one person: what their messages wrote, made one value each by the strategy of the identity definition.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::definitions::TraitStrategy;
use crate::engine::people::person::Person;
use crate::error::{Error, Result};
use crate::identity;
use crate::records::{Object, TieOrder, Timestamp, Value};
use crate::rules::ProfileView;
use crate::store::TraitWrite;

impl Person<'_> {
    /// Every trait that has a value at `at`.
    pub(crate) fn traits(&self, at: Timestamp) -> Result<Object> {
        let names: BTreeSet<&str> =
            self.facts()?.flat_map(|(_, facts)| facts.traits.iter().map(|write| write.name.as_ref())).collect();
        let mut traits = Object::new();
        for name in names {
            if let Some(value) = self.trait_named(name, at)? {
                traits.insert(name.to_owned(), value.into_owned());
            }
        }
        Ok(traits)
    }

    /// The value of a trait, by the strategy of its name.
    pub(in crate::engine) fn trait_named(&self, name: &str, at: Timestamp) -> Result<Option<Cow<'_, Value>>> {
        let strategies = &self.snapshot.catalog.identity().traits;
        match strategies.iter().find(|(of, _)| of == name) {
            None | Some((_, TraitStrategy::Newest)) => Ok(self.newest(name, at)?.map(Cow::Borrowed)),
            Some((_, strategy)) => Ok(self.settled(name, strategy, at)?.map(Cow::Owned)),
        }
    }

    pub(crate) fn writes(&self, name: &str, at: Timestamp) -> Result<impl Iterator<Item = &TraitWrite>> {
        let writes = self.facts()?.flat_map(|(_, facts)| facts.traits.iter());
        Ok(writes.filter(move |write| write.occurred_at <= at && write.name.as_ref() == name))
    }

    /// Since when a trait has the value that it has at `at`: what says the same again changes nothing.
    pub(crate) fn trait_since(&self, name: &str, at: Timestamp) -> Result<Option<Timestamp>> {
        let Some(value) = self.trait_named(name, at)? else { return Ok(None) };
        let mut writes: Vec<&TraitWrite> = self.writes(name, at)?.collect();
        writes.sort_by_key(|write| std::cmp::Reverse(write.occurred_at));
        // What other strategies than the newest give may be no single write: then the last one counts.
        let last = writes.first().map(|write| write.occurred_at);
        let same = writes.into_iter().take_while(|write| *write.value == *value).last();
        Ok(same.map(|write| write.occurred_at).or(last))
    }

    pub(crate) fn settled(&self, name: &str, strategy: &TraitStrategy, at: Timestamp) -> Result<Option<Value>> {
        let mut writes: Vec<&TraitWrite> = self.writes(name, at)?.collect();
        writes.sort_by_key(|write| write.occurred_at);
        // The order within a millisecond is read only where there is more than one write.
        for tied in writes.chunk_by_mut(|left, right| left.occurred_at == right.occurred_at) {
            if tied.len() > 1 {
                let mut keyed = Vec::with_capacity(tied.len());
                for write in tied.iter() {
                    keyed.push((ProfileView::tie_order(self, write.sequence)?, *write));
                }
                keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
                for (place, (_, write)) in tied.iter_mut().zip(keyed) {
                    *place = write;
                }
            }
        }
        let mut sources = Vec::new();
        if matches!(strategy, TraitStrategy::SourcePriority(_)) {
            for write in &writes {
                let key = self.snapshot.facts.message_key(write.sequence)?;
                let (source, _) = key.ok_or_else(|| Error::internal("a sequence of a trait is not in the log"))?;
                sources.push(self.snapshot.memory.name(source).to_owned());
            }
        }
        let values: Vec<&Value> = writes.iter().map(|write| write.value.as_ref()).collect();
        Ok(identity::settle(strategy, &values, |place| sources.get(place).cloned().unwrap_or_default()))
    }

    /// The last writer by (event time, ordinal, message id) wins; a null is a tombstone.
    pub(crate) fn newest(&self, name: &str, at: Timestamp) -> Result<Option<&Value>> {
        let mut latest: Vec<&TraitWrite> = Vec::new();
        for write in self.writes(name, at)? {
            match latest.first().map(|found| write.occurred_at.cmp(&found.occurred_at)) {
                Some(Ordering::Less) => continue,
                Some(Ordering::Greater) => latest.clear(),
                Some(Ordering::Equal) | None => {}
            }
            latest.push(write);
        }
        let mut winner = latest.first().copied();
        // The order within a millisecond is read only where its writes disagree.
        if !latest.windows(2).all(|pair| matches!(pair, [left, right] if left.value == right.value)) {
            let mut greatest: Option<TieOrder> = None;
            for write in latest {
                let order = Some(ProfileView::tie_order(self, write.sequence)?);
                if order >= greatest {
                    (greatest, winner) = (order, Some(write));
                }
            }
        }
        Ok(winner.map(|write| write.value.as_ref()).filter(|value| !value.is_null()))
    }
}
