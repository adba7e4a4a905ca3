//! Everybody whom an audience means, found by one pass over the columns of all events; only those whom events alone do not
//! decide are asked one by one.

use super::snapshot::{Person, Snapshot};
use crate::audiences::is_member;
use crate::definitions::AudienceDefinition;
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::{NOBODY, Plan};

/// The profiles at an instant: the nodes of each, and the number of the profile of each node.
struct Profiles {
    nodes: Vec<Vec<u32>>,
    profile_of: Vec<u32>,
}

impl<'a> Snapshot<'a> {
    fn profiles_at(&self, at: Timestamp) -> Result<Profiles> {
        let n_nodes = self.memory.n_nodes();
        let mut profiles = Profiles { nodes: Vec::new(), profile_of: vec![NOBODY; n_nodes as usize] };
        for node in 0..n_nodes {
            if profiles.profile_of.get(node as usize).is_none_or(|profile| *profile != NOBODY) {
                continue;
            }
            let nodes = self.partition.nodes_of_at(node, at);
            let number = u32::try_from(profiles.nodes.len()).unwrap_or(NOBODY);
            for node in &nodes {
                if let Some(place) = profiles.profile_of.get_mut(*node as usize) {
                    *place = number;
                }
            }
            profiles.nodes.push(nodes);
        }
        Ok(profiles)
    }

    /// The members of an audience at `at`, from all facts, in the order of their first nodes.
    pub(super) fn members_at(&'a self, audience: &AudienceDefinition, at: Timestamp) -> Result<Vec<Person<'a>>> {
        let mut plan = Plan::new(self.catalog, at);
        let planned = plan.add_audience(audience)?;
        let Profiles { nodes, profile_of } = self.profiles_at(at)?;
        let mut tallies = plan.start(nodes.len(), &|name| self.memory.name_id(name));
        if plan.reads_events() {
            self.memory.visit_event_blocks(self.facts, plan.columns(), &profile_of, &mut |block| tallies.add(block))?;
        }
        let verdicts = tallies.verdicts();
        let mut members = Vec::new();
        for (nodes, verdict) in nodes.into_iter().zip(verdicts.of(planned)) {
            if *verdict == Some(false) {
                continue;
            }
            let person = Person::new(self, nodes)?;
            if person.exists_at(at) && (*verdict == Some(true) || is_member(audience, &person, at)?) {
                members.push(person);
            }
        }
        members.sort_by_cached_key(|person| person.order());
        Ok(members)
    }
}
