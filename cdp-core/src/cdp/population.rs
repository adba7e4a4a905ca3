//! Everybody whom an audience means, found by one pass over the columns of all events; only those whom events alone do not
//! decide are asked one by one.

use super::snapshot::{Person, Snapshot};
use crate::audiences::is_member;
use crate::definitions::AudienceDefinition;
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::{NOBODY, Plan};

impl<'a> Snapshot<'a> {
    /// The members of an audience at `at`, from all facts, in the order of their first nodes.
    pub(super) fn members_at(&'a self, audience: &AudienceDefinition, at: Timestamp) -> Result<Vec<Person<'a>>> {
        let mut plan = Plan::new(self.catalog, at);
        let planned = plan.add_audience(audience)?;
        let profiles = self.profiles_at(at);
        let mut profile_of = vec![NOBODY; self.memory.n_nodes() as usize];
        for (number, nodes) in (0u32..).zip(profiles.iter()) {
            for node in nodes {
                if let Some(place) = profile_of.get_mut(*node as usize) {
                    *place = number;
                }
            }
        }
        let mut tallies = plan.start(profiles.len(), &|name| self.memory.name_id(name));
        if plan.reads_events() {
            self.memory.visit_event_blocks(self.facts, plan.columns(), &profile_of, &mut |block| tallies.add(block))?;
        }
        let verdicts = tallies.verdicts();
        let mut members = Vec::new();
        for (nodes, verdict) in profiles.iter().zip(verdicts.of(planned)) {
            if *verdict == Some(false) {
                continue;
            }
            let person = Person::new(self, nodes.to_vec())?;
            if person.exists_at(at) && (*verdict == Some(true) || is_member(audience, &person, at)?) {
                members.push(person);
            }
        }
        members.sort_by_cached_key(|person| person.order());
        Ok(members)
    }
}
