//! Evidence of identity as plain data: links between nodes, decisions of operators, pairs that linkage found likely.
//!
//! The file keeps it, the partition of identity is derived from it, and neither has to know the other. A node is the number of
//! an identifier; a sequence is a message's place in the log. Evidence never holds an identifier's value.

use super::Timestamp;

/// A link of identity evidence: the message's node and another identifier it named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredLink {
    pub(crate) sequence: u64,
    pub(crate) node: u32,
    pub(crate) other: u32,
    pub(crate) rule: LinkRule,
    pub(crate) occurred_at: Timestamp,
}

/// Why two identifiers were linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LinkRule {
    /// They stood in one message.
    SameMessage,
    /// An alias message said so.
    Alias,
    /// An operator merged them.
    Operator,
    /// A model found them to be one person.
    Probable,
}

impl LinkRule {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            LinkRule::SameMessage => "same_message",
            LinkRule::Alias => "alias",
            LinkRule::Operator => "merge",
            LinkRule::Probable => "probable",
        }
    }

    /// How sure such a link is: `exact`, `operator` or `probable`.
    pub(crate) fn class(self) -> &'static str {
        match self {
            LinkRule::SameMessage | LinkRule::Alias => "exact",
            LinkRule::Operator => "operator",
            LinkRule::Probable => "probable",
        }
    }
}

/// What an operator decides about two identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecisionType {
    /// They are one person, whatever the limits say.
    Merge,
    /// No evidence between the two of them counts, past or future.
    Unlink,
    /// They are two people, whatever the path between them.
    Separate,
}

impl DecisionType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            DecisionType::Merge => "merge",
            DecisionType::Unlink => "unlink",
            DecisionType::Separate => "separate",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<DecisionType> {
        [DecisionType::Merge, DecisionType::Unlink, DecisionType::Separate]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// One decision about two nodes; of several about one pair the latest (instant, number) holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) number: u64,
    pub(crate) kind: DecisionType,
    pub(crate) node: u32,
    pub(crate) other: u32,
    pub(crate) occurred_at: Timestamp,
}

impl Decision {
    /// (instant, number): the order in which decisions about a pair replace each other.
    pub(crate) fn order(&self) -> (Timestamp, u64) {
        (self.occurred_at, self.number)
    }
}

/// Two nodes that a model found likely to be one person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ProbableLink {
    pub(crate) number: u64,
    pub(crate) node: u32,
    pub(crate) other: u32,
    pub(crate) occurred_at: Timestamp,
    pub(crate) weight: f64,
    pub(crate) probability: f64,
    pub(crate) model: u32,
    /// Whether it counts as evidence; otherwise it is a suggestion.
    pub(crate) is_link: bool,
}

impl ProbableLink {
    /// Its two nodes.
    pub(crate) fn pair(&self) -> (u32, u32) {
        (self.node, self.other)
    }

    /// The other end.
    pub(crate) fn neighbour(&self, node: u32) -> u32 {
        if self.node == node { self.other } else { self.node }
    }

    /// Whether both say the same, whenever they were found.
    pub(crate) fn says_the_same(&self, other: &ProbableLink) -> bool {
        ProbableLink { number: 0, ..*self } == ProbableLink { number: 0, ..*other }
    }
}
