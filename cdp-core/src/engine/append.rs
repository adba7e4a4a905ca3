//! What a transaction appends: names, identifiers, the evidence of a message and the message itself.

use smallvec::SmallVec;

use crate::engine::evidence::link_of;
use crate::engine::observe::observe;
use crate::engine::transaction::Transaction;
use crate::error::{Error, Result};
use crate::identity::{Identified, Link};
use crate::records::{Json, JsonObject, LinkRule, Message, MessageType, StoredLink, Timestamp};
use crate::store::{Facts, LogWriter, OwnNodes, StoredMessage};

/// What a message says about identity.
pub(crate) struct Evidence {
    pub(crate) node: u32,
    pub(crate) links: Vec<StoredLink>,
    pub(crate) own: OwnNodes,
}

/// The writer of a transaction, which begins with the first thing to write.
fn writer<'l, 'w>(log: &'l mut Option<LogWriter<'w>>, facts: Facts<'w>) -> Result<&'l mut LogWriter<'w>> {
    let writer = match log.take() {
        Some(writer) => writer,
        None => LogWriter::new(facts)?,
    };
    Ok(log.insert(writer))
}

impl<'w> Transaction<'w> {
    /// What appends to the log.
    pub(crate) fn log(&mut self) -> Result<&mut LogWriter<'w>> {
        writer(&mut self.log, self.facts)
    }

    /// The number of a name, entered in the file if it is new.
    pub(crate) fn name(&mut self, name: &str) -> Result<u32> {
        let (id, is_new) = self.changes.memory.name(&self.state.parts.memory, name);
        if is_new {
            self.facts.put_name(id, name)?;
            self.resolve_types();
        }
        Ok(id)
    }

    /// The node of an identifier, entered in the file if it is new.
    pub(crate) fn node(&mut self, identifier_type: &str, value: &str) -> Result<u32> {
        let type_id = self.name(identifier_type)?;
        let (node, is_new) = self.changes.memory.node(&self.state.parts.memory, type_id, value);
        if is_new {
            self.facts.put_node(node, type_id, value)?;
        }
        Ok(node)
    }

    /// Whether an earlier message has said what a link says, before this transaction.
    pub(crate) fn is_said(&self, link: &StoredLink) -> bool {
        // A `latest_link_wins` value is in no component, so that each of its links says something new.
        self.changes.people.partition.view(&self.state.parts.people.partition).is_said(&link_of(link))
    }

    /// What a message says about identity: its node and the star of links from it; new nodes and the types of blocked
    /// values are entered.
    pub(crate) fn evidence_of(
        &mut self,
        sequence: u64,
        occurred_at: Timestamp,
        identified: &Identified<'_>,
        fields: &JsonObject,
    ) -> Result<Evidence> {
        let mut kept = identified.kept.iter();
        let (identifier_type, value) =
            kept.next().ok_or_else(|| Error::internal("a message without identifier was identified"))?;
        let node = self.node(identifier_type, value)?;
        let mut own = OwnNodes::default();
        let mut note_own = |identifier_type: &str, value: &str, node: u32| {
            let (field, place) = match identifier_type {
                "user_id" => ("userId", &mut own.user),
                "anonymous_id" => ("anonymousId", &mut own.anonymous),
                _ => return,
            };
            if fields.get(field).and_then(Json::as_text).is_some_and(|text| text == value) {
                *place = Some(node);
            }
        };
        note_own(identifier_type, value, node);
        let mut links = Vec::with_capacity(kept.len());
        for (identifier_type, value) in kept {
            let other = self.node(identifier_type, value)?;
            note_own(identifier_type, value, other);
            let is_alias = identified.is_alias_link(identifier_type, value);
            let rule = if is_alias { LinkRule::Alias } else { LinkRule::SameMessage };
            links.push(StoredLink { sequence, node, other, rule, occurred_at });
        }
        for identifier_type in &identified.blocked {
            let type_id = self.name(identifier_type)?;
            self.facts.put_blocked(sequence, type_id)?;
        }
        Ok(Evidence { node, links, own })
    }

    /// Both ends of the links that say something new, each with the sequence of its message.
    pub(crate) fn newly_linked(&self, links: &[Link]) -> Vec<(u64, u32)> {
        let view = self.changes.people.partition.view(&self.state.parts.people.partition);
        let new = links.iter().filter(|link| !view.is_said(link));
        new.flat_map(|link| [(link.sequence, link.node), (link.sequence, link.other)]).collect()
    }
}

impl Transaction<'_> {
    /// Appends a message that is not in the log: its evidence, its row and key, and what RAM mirrors of it.
    pub(crate) fn append_message(
        &mut self,
        source_id: u32,
        message_id: String,
        message: &Message,
        occurred_at: Timestamp,
        identified: &Identified<'_>,
    ) -> Result<()> {
        let catalog = self.changes.catalog.clone();
        let event = message.event.as_deref().map(|event| self.name(event)).transpose()?;
        let ordinal = if message.is_untimed() { self.meta.ordinals.next(occurred_at) } else { 0 };
        let sequence = self.meta.log_sequence + 1;
        self.meta.log_sequence = sequence;
        let n_nodes = self.memory().n_nodes();
        let Evidence { node, links, own } = self.evidence_of(sequence, occurred_at, identified, &message.fields)?;
        let memory = self.memory();
        let mut named: SmallVec<[u32; 8]> = (n_nodes..memory.n_nodes()).collect();
        // Under another identity definition than today's a message may have made the node, and name another now.
        if self.meta.links_to > 0 && memory.firsts(node).named_at().is_none() {
            named.push(node);
        }
        for link in &links {
            let is_in_columns = link.rule == LinkRule::SameMessage && own.linked_to(link.node) == Some(link.other);
            // What an identify message says counts by its type as well.
            let is_needed = message.kind == MessageType::Identify || !is_in_columns || !self.is_said(link);
            if is_needed {
                self.log()?.put_link(link)?;
                named.extend([link.node, link.other]);
            }
        }
        self.changes.memory.enter_named(&self.state.parts.memory, self.facts, named, sequence)?;
        let stored = StoredMessage {
            sequence,
            source: source_id,
            message_id,
            kind: message.kind,
            event,
            node,
            own,
            occurred_at,
            ordinal,
            recorded_at: self.meta.recorded_at,
            checksum: crate::store::checksum(&message.fields),
            fields: message.fields.clone(),
        };
        writer(&mut self.log, self.facts)?.put_message(&stored, &mut self.changes.memory, &self.state.parts.memory)?;
        let named = links.iter().map(|link| link.other).collect();
        self.links.extend(links.iter().map(link_of));
        self.changes.memory.enter_key(&self.state.parts.memory, source_id, &stored.message_id, sequence);
        self.changes
            .memory
            .observe(&self.state.parts.memory, observe(&stored, &message.fields, named, catalog.identity()));
        self.last_node = Some(node);
        Ok(())
    }
}
