//! The annex of a block: facts of its nodes besides events, that is other messages, traits, consents, accounts, and
//! first instants.
//!
//! A node with events alone has no entry: its first naming and first sequence then follow from its events. Names and
//! values are entries of dictionaries of the block, so that a repeated trait costs two bytes.

use std::ops::Range;
use std::sync::Arc;

use super::ints::{Ints, write_ints};
use super::values::{DictionaryBuilder, ValueDictionary};
use crate::error::Result;
use crate::records::{Timestamp, Value};
use crate::store::bytes::{Reader, corrupt, write_distance, write_varint};
use crate::store::node_facts::{AccountWrite, Annex, ConsentWrite, TraitWrite, least};

const NAMED: u64 = 1;
const SEQUENCE: u64 = 2;
const IDENTIFIED: u64 = 4;

const IS_OTHER: u64 = 1;
const HAS_CONSENTS: u64 = 2;
const HAS_ACCOUNTS: u64 = 4;
const HEAD_BITS: u32 = 3;

/// The part of an annex that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnnexPart {
    /// Everything.
    All,
    /// The instants of messages and of the first naming, without traits, consents and accounts.
    Messages,
}

/// The place of the annex in its block.
pub(super) struct AnnexLayout {
    origin_ms: i64,
    origin_sequence: i64,
    n_nodes: usize,
    nodes: Ints,
    ends: Ints,
    bytes: Range<usize>,
    texts: ValueDictionary<Arc<str>>,
    values: ValueDictionary<Arc<Value>>,
}

impl AnnexLayout {
    /// Reads the layout of the annex; `None` if the block has none.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<AnnexLayout>> {
        let n_nodes = reader.u32()? as usize;
        if n_nodes == 0 {
            return Ok(None);
        }
        let (origin_ms, origin_sequence) = (reader.i64()?, reader.i64()?);
        let (nodes, ends) = (Ints::read(reader, n_nodes)?, Ints::read(reader, n_nodes)?);
        let n_bytes = reader.u32()? as usize;
        let start = reader.position();
        reader.take(n_bytes)?;
        let (texts, values) = (ValueDictionary::read(reader)?, ValueDictionary::read(reader)?);
        let bytes = start..start + n_bytes;
        Ok(Some(AnnexLayout { origin_ms, origin_sequence, n_nodes, nodes, ends, bytes, texts, values }))
    }

    /// The approximate RAM of the parsed texts and values, besides the bytes of the block.
    pub(super) fn parsed_bytes(&self) -> usize {
        self.texts.parsed_bytes() + self.values.parsed_bytes()
    }

    /// The annex of the node at this place of the block.
    pub(super) fn find(&self, block: &[u8], place: usize, part: AnnexPart) -> Result<Option<Annex>> {
        let (nodes, ends) = (self.nodes.view(block), self.ends.view(block));
        let at = nodes.lower_bound(0..self.n_nodes, place as i64);
        if nodes.get(at) != Some(place as i64) {
            return Ok(None);
        }
        let end = |at: usize| ends.get(at).and_then(|end| usize::try_from(end).ok());
        let start = if at == 0 { Some(0) } else { end(at - 1) };
        let section = block.get(self.bytes.clone()).zip(start.zip(end(at)));
        let bytes = section.and_then(|(section, (start, end))| section.get(start..end));
        self.parse(block, bytes.ok_or_else(|| corrupt("an annex has no bytes"))?, part).map(Some)
    }

    fn parse(&self, block: &[u8], bytes: &[u8], part: AnnexPart) -> Result<Annex> {
        let mut reader = Reader::new(bytes);
        let mut annex = Annex::default();
        let (mut occurred_at, mut sequence) = (self.origin_ms, self.origin_sequence);
        let flags = reader.varint()?;
        if flags & NAMED != 0 {
            annex.first_named_at = Some(Timestamp::from_millis(reader.distance(occurred_at)?));
        }
        if flags & SEQUENCE != 0 {
            annex.first_sequence = Some(reader.distance(sequence)?.cast_unsigned());
        }
        if flags & IDENTIFIED != 0 {
            let at = Timestamp::from_millis(reader.distance(occurred_at)?);
            let mut tied = Vec::new();
            for _ in 0..reader.varint()? {
                sequence = reader.distance(sequence)?;
                tied.push(sequence.cast_unsigned());
            }
            annex.first_identified = Some((at, tied));
        }
        while !reader.is_at_end() {
            occurred_at = reader.distance(occurred_at)?;
            sequence = reader.distance(sequence)?;
            let at = (Timestamp::from_millis(occurred_at), sequence.cast_unsigned());
            match part {
                AnnexPart::All => self.parse_message(block, &mut reader, at, &mut annex)?,
                AnnexPart::Messages => pass_by_message(&mut reader, at, &mut annex)?,
            }
        }
        Ok(annex)
    }

    fn parse_message(
        &self,
        block: &[u8],
        reader: &mut Reader<'_>,
        (occurred_at, sequence): (Timestamp, u64),
        annex: &mut Annex,
    ) -> Result<()> {
        let missing = || corrupt("an annex names an entry that is not there");
        let head = reader.varint()?;
        let n_consents = if head & HAS_CONSENTS != 0 { reader.varint()? } else { 0 };
        let n_accounts = if head & HAS_ACCOUNTS != 0 { reader.varint()? } else { 0 };
        if head & IS_OTHER != 0 {
            annex.others.push((occurred_at, sequence));
        }
        for _ in 0..head >> HEAD_BITS {
            let (name, value) = (reader.varint()? as usize, reader.varint()? as usize);
            let name = self.texts.entries(block).get(name).ok_or_else(missing)?.clone();
            let value = self.values.entries(block).get(value).ok_or_else(missing)?.clone();
            annex.traits.push(TraitWrite { occurred_at, sequence, name, value });
        }
        let text = |number: u64| match (number as usize).checked_sub(1) {
            None => Ok(None),
            Some(at) => self.texts.entries(block).get(at).cloned().map(Some).ok_or_else(missing),
        };
        for _ in 0..n_consents {
            let (purpose, channel) = (reader.varint()?, reader.varint()?);
            let (purpose, channel, granted) = (text(purpose)?, text(channel >> 1)?, channel & 1 == 1);
            annex.consents.push(ConsentWrite { occurred_at, sequence, purpose, channel, granted });
        }
        for _ in 0..n_accounts {
            let (account_type, account) = (reader.varint()? as usize, reader.varint()? as usize);
            let account_type = self.texts.entries(block).get(account_type).ok_or_else(missing)?.clone();
            let account = self.texts.entries(block).get(account).ok_or_else(missing)?.clone();
            annex.accounts.push(AccountWrite { occurred_at, sequence, account_type, account });
        }
        Ok(())
    }
}

/// Adds a message that is no event, and skips its content.
fn pass_by_message(reader: &mut Reader<'_>, at: (Timestamp, u64), annex: &mut Annex) -> Result<()> {
    let head = reader.varint()?;
    let n_consents = if head & HAS_CONSENTS != 0 { reader.varint()? } else { 0 };
    let n_accounts = if head & HAS_ACCOUNTS != 0 { reader.varint()? } else { 0 };
    if head & IS_OTHER != 0 {
        annex.others.push(at);
    }
    // Each trait, consent and account is a pair of numbers.
    let n_pairs = (head >> HEAD_BITS).saturating_add(n_consents).saturating_add(n_accounts);
    for _ in 0..n_pairs {
        reader.varint()?;
        reader.varint()?;
    }
    Ok(())
}

/// Collects the annex of a block, node by node.
#[derive(Default)]
pub(super) struct AnnexBuilder {
    origin: Option<(i64, i64)>,
    nodes: Vec<u32>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
    texts: DictionaryBuilder,
    values: DictionaryBuilder,
}

impl AnnexBuilder {
    /// Adds the annex of the node at this place of the block. First instants are left out where they follow from the
    /// messages of the node in this block: from its events, `of_events`, or from its other messages.
    pub(super) fn push(&mut self, place: u32, mut annex: Annex, of_events: (Option<Timestamp>, Option<u64>)) {
        annex.sort();
        let own_at = least(of_events.0, annex.others.iter().map(|other| other.0).min());
        let own_sequence = least(of_events.1, annex.others.iter().map(|other| other.1).min());
        annex.first_named_at = annex.first_named_at.filter(|first| own_at.is_none_or(|own| *first < own));
        annex.first_sequence = annex.first_sequence.filter(|first| own_sequence.is_none_or(|own| *first < own));
        let is_empty = annex.weight() == 0 && annex.first_identified.is_none();
        let Annex { others, traits, consents, accounts, first_named_at, first_sequence, first_identified } = annex;
        if is_empty && first_named_at.is_none() && first_sequence.is_none() {
            return;
        }
        let identified = first_identified.as_ref().and_then(|(at, tied)| Some((*at, *tied.first()?)));
        let near = [
            others.first().copied(),
            traits.first().map(|write| (write.occurred_at, write.sequence)),
            consents.first().map(|write| (write.occurred_at, write.sequence)),
            accounts.first().map(|write| (write.occurred_at, write.sequence)),
            identified,
            first_named_at.map(|at| (at, first_sequence.unwrap_or(0))),
        ];
        let nearest = near.into_iter().flatten().next();
        let (mut occurred_at, mut sequence) = *self.origin.get_or_insert_with(|| {
            nearest.map_or((0, 0), |(occurred_at, sequence)| (occurred_at.millis(), sequence.cast_signed()))
        });
        let out = &mut self.bytes;
        let flag = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
        write_varint(
            out,
            flag(first_named_at.is_some(), NAMED)
                | flag(first_sequence.is_some(), SEQUENCE)
                | flag(first_identified.is_some(), IDENTIFIED),
        );
        if let Some(at) = first_named_at {
            write_distance(out, occurred_at, at.millis());
        }
        if let Some(first) = first_sequence {
            write_distance(out, sequence, first.cast_signed());
        }
        if let Some((at, tied)) = first_identified {
            write_distance(out, occurred_at, at.millis());
            write_varint(out, tied.len() as u64);
            for one in tied {
                write_distance(out, sequence, one.cast_signed());
                sequence = one.cast_signed();
            }
        }
        let (mut others, mut traits) = (others.as_slice(), traits.as_slice());
        let (mut consents, mut accounts) = (consents.as_slice(), accounts.as_slice());
        loop {
            let heads = [
                others.first().map(|other| (other.1, other.0)),
                traits.first().map(|write| (write.sequence, write.occurred_at)),
                consents.first().map(|write| (write.sequence, write.occurred_at)),
                accounts.first().map(|write| (write.sequence, write.occurred_at)),
            ];
            let Some(message) = heads.into_iter().flatten().min() else { break };
            let is_other = others.first().is_some_and(|other| (other.1, other.0) == message);
            others = others.get(usize::from(is_other)..).unwrap_or_default();
            let of_message = traits.iter().take_while(|write| (write.sequence, write.occurred_at) == message).count();
            let (message_traits, more_traits) = traits.split_at_checked(of_message).unwrap_or_default();
            let of_message = consents.iter().take_while(|write| (write.sequence, write.occurred_at) == message).count();
            let (message_consents, more_consents) = consents.split_at_checked(of_message).unwrap_or_default();
            let of_message = accounts.iter().take_while(|write| (write.sequence, write.occurred_at) == message).count();
            let (message_accounts, more_accounts) = accounts.split_at_checked(of_message).unwrap_or_default();
            (traits, consents, accounts) = (more_traits, more_consents, more_accounts);
            write_distance(out, occurred_at, message.1.millis());
            write_distance(out, sequence, message.0.cast_signed());
            (occurred_at, sequence) = (message.1.millis(), message.0.cast_signed());
            write_varint(
                out,
                (message_traits.len() as u64) << HEAD_BITS
                    | flag(!message_consents.is_empty(), HAS_CONSENTS)
                    | flag(!message_accounts.is_empty(), HAS_ACCOUNTS)
                    | flag(is_other, IS_OTHER),
            );
            if !message_consents.is_empty() {
                write_varint(out, message_consents.len() as u64);
            }
            if !message_accounts.is_empty() {
                write_varint(out, message_accounts.len() as u64);
            }
            for write in message_traits {
                write_varint(out, u64::from(self.texts.number_of_text(&write.name)));
                write_varint(out, u64::from(self.values.number_of(&write.value)));
            }
            for write in message_consents {
                let mut number = |text: &Option<Arc<str>>| match text {
                    Some(text) => u64::from(self.texts.number_of_text(text)) + 1,
                    None => 0,
                };
                let (purpose, channel) = (number(&write.purpose), number(&write.channel));
                write_varint(out, purpose);
                write_varint(out, channel << 1 | u64::from(write.granted));
            }
            for write in message_accounts {
                write_varint(out, u64::from(self.texts.number_of_text(&write.account_type)));
                write_varint(out, u64::from(self.texts.number_of_text(&write.account)));
            }
        }
        self.nodes.push(place);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.nodes.len() as u32).to_le_bytes());
        let (Some((origin_ms, origin_sequence)), false) = (self.origin, self.nodes.is_empty()) else { return };
        out.extend_from_slice(&origin_ms.to_le_bytes());
        out.extend_from_slice(&origin_sequence.to_le_bytes());
        write_ints(out, 0, self.nodes.iter().map(|place| i64::from(*place)));
        write_ints(out, 0, self.ends.iter().map(|end| i64::from(*end)));
        out.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.bytes);
        self.texts.write(out);
        self.values.write(out);
    }

    pub(super) fn clear(&mut self) {
        self.origin = None;
        self.nodes.clear();
        self.ends.clear();
        self.bytes.clear();
        self.texts.clear();
        self.values.clear();
    }
}
