//! The leaves of a rule: what each of them tests, and the word by which it is known.
//!
//! It takes the JSON of a leaf and leaves it typed. A new leaf is a type, a variant of [`Test`] and a row of `LEAVES` here;
//! how it is tested stands in its file of `rules::leaves`.

use super::super::fields::leaf;
use super::super::reader::{Fields, Node};
use super::super::schema::{Shape, Words, fields};
use super::behavior::{EventTest, LifecycleTest, SequenceTest};
use super::comparison::{Comparison, Place};
use crate::records::{Path, Value};

/// A statement without parts, and its JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What is tested.
    pub test: Test,
    /// The leaf as it was written.
    pub json: Value,
}

/// What a leaf tests.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A trait compares like this.
    Trait(TraitTest),
    /// A feature compares like this.
    Feature(FeatureTest),
    /// Something was done, or not.
    Event(EventTest),
    /// Things were done one after the other.
    Sequence(SequenceTest),
    /// A habit began, ended or holds.
    Lifecycle(LifecycleTest),
    /// The profile is in an audience, or not.
    Audience(AudienceTest),
    /// A predictor puts the profile into a class with a score.
    Cohort(CohortTest),
    /// What is known about the identity of the profile.
    Identity(IdentityTest),
    /// The state of consent.
    Consent(ConsentTest),
    /// The profile belongs to an account: a company, a household.
    Account(AccountTest),
    /// A value of the message that a decision is about.
    Current(CurrentTest),
    /// The profile belongs to a share of all profiles that is drawn at random.
    Bucket(BucketTest),
}

/// Reads what a leaf tests; every fault is noted.
pub(in crate::definitions) type ReadTest = fn(&mut Fields<'_>) -> Option<Test>;

/// The leaves, each with its reader; the name of a leaf is the field that makes an object this leaf.
pub(in crate::definitions) static LEAVES: [(&Shape, ReadTest); 14] = [
    (&leaf::TRAIT, |fields| TraitTest::read(fields).map(Test::Trait)),
    (&leaf::FEATURE, |fields| FeatureTest::read(fields).map(Test::Feature)),
    (&leaf::EVENT, |fields| EventTest::read(fields).map(Test::Event)),
    (&leaf::SEQUENCE, |fields| SequenceTest::read(fields).map(Test::Sequence)),
    (&leaf::STOPPED, |fields| {
        fields.required(&leaf::stopped::STOPPED, LifecycleTest::read_stopped).map(Test::Lifecycle)
    }),
    (&leaf::RESTARTED, |fields| {
        fields.required(&leaf::restarted::RESTARTED, LifecycleTest::read_restarted).map(Test::Lifecycle)
    }),
    (&leaf::REGULARLY, |fields| {
        fields.required(&leaf::regularly::REGULARLY, LifecycleTest::read_regularly).map(Test::Lifecycle)
    }),
    (&leaf::AUDIENCE, |fields| AudienceTest::read(fields).map(Test::Audience)),
    (&leaf::COHORT, |fields| CohortTest::read(fields).map(Test::Cohort)),
    (&leaf::IDENTITY, |fields| IdentityTest::read(fields).map(Test::Identity)),
    (&leaf::CONSENT, |fields| ConsentTest::read(fields).map(Test::Consent)),
    (&leaf::ACCOUNT, |fields| AccountTest::read(fields).map(Test::Account)),
    (&leaf::CURRENT, |fields| CurrentTest::read(fields).map(Test::Current)),
    (&leaf::BUCKET, |fields| fields.required(&leaf::bucket::BUCKET, BucketTest::read).map(Test::Bucket)),
];

/// A rule with such a leaf is refused when it is defined, not when it is evaluated.
const NOT_YET: [&str; 2] = ["list", "top"];

fields! {
    /// Fields that are known only to be refused with a reason; the reference does not list them.
    refused {
        LIST = "list", Json, Optional, "null", "A leaf that is not available yet.";
        TOP = "top", Json, Optional, "null", "A leaf that is not available yet.";
        IN = "in", Json, Optional, "null", "A field of both.";
    }
}

/// The fields that say which leaf an object is.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    LEAVES.iter().map(|(leaf, _)| leaf.name).chain(NOT_YET)
}

impl Test {
    /// Reads the leaf that has this word.
    pub(super) fn read(word: &str, fields: &mut Fields<'_>) -> Option<Test> {
        if let Some((_, read)) = LEAVES.iter().find(|(leaf, _)| leaf.name == word) {
            return read(fields);
        }
        for field in refused::ALL {
            fields.optional(*field, |node| {
                if NOT_YET.contains(&field.name) {
                    node.fault(format!("the leaf `{}` is not available yet", field.name));
                }
                Some(())
            });
        }
        None
    }
}

/// The leaf `trait`.
#[derive(Clone, Debug, PartialEq)]
pub struct TraitTest {
    /// Where it is in the traits.
    pub path: Path,
    /// What it is compared with.
    pub comparison: Comparison,
}

impl TraitTest {
    fn read(fields: &mut Fields<'_>) -> Option<TraitTest> {
        let path = fields.required(&leaf::trait_::TRAIT, |node| node.path());
        let comparison = Comparison::read(fields, Place::Any);
        Some(TraitTest { path: path?, comparison: comparison? })
    }
}

/// The leaf `current`.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrentTest {
    /// Where it is in the message.
    pub path: Path,
    /// What it is compared with.
    pub comparison: Comparison,
}

impl CurrentTest {
    fn read(fields: &mut Fields<'_>) -> Option<CurrentTest> {
        let path = fields.required(&leaf::current::CURRENT, |node| node.path());
        let comparison = Comparison::read(fields, Place::Any);
        Some(CurrentTest { path: path?, comparison: comparison? })
    }
}

/// The leaf `feature`.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureTest {
    /// Its name.
    pub name: String,
    /// What it is compared with.
    pub comparison: Comparison,
}

impl FeatureTest {
    fn read(fields: &mut Fields<'_>) -> Option<FeatureTest> {
        let name = fields.required(&leaf::feature::FEATURE, |node| node.text());
        let comparison = Comparison::read(fields, Place::Any);
        Some(FeatureTest { name: name?, comparison: comparison? })
    }
}

/// The leaf `audience`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudienceTest {
    /// Its name.
    pub name: String,
    /// Whether the profile must be in.
    pub inside: bool,
}

impl AudienceTest {
    fn read(fields: &mut Fields<'_>) -> Option<AudienceTest> {
        let name = fields.required(&leaf::audience::AUDIENCE, |node| node.text());
        let is_given = fields.has("in");
        let inside = fields.optional(&leaf::audience::IN, |node| node.boolean());
        Some(AudienceTest { name: name?, inside: if is_given { inside? } else { true } })
    }
}

/// The leaf `cohort`.
#[derive(Clone, Debug, PartialEq)]
pub struct CohortTest {
    /// The predictor's name.
    pub predictor: String,
    /// The class; any class if absent.
    pub class: Option<String>,
    /// What the score is compared with.
    pub score: Option<Comparison>,
}

impl CohortTest {
    fn read(fields: &mut Fields<'_>) -> Option<CohortTest> {
        let predictor = fields.required(&leaf::cohort::COHORT, |node| node.text());
        let (classed, scored) = (fields.has("is"), fields.has("score"));
        let class = fields.optional(&leaf::cohort::IS, |node| node.text());
        let score = fields.optional(&leaf::cohort::SCORE, |node| Comparison::read_short(node, Place::Number));
        if class.is_some() != classed || score.is_some() != scored {
            return None;
        }
        Some(CohortTest { predictor: predictor?, class, score })
    }
}

/// The leaf `identity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityTest {
    /// The profile holds an identifier of this type.
    Has(String),
    /// The profile holds a person or contact identifier.
    Known,
    /// It holds none.
    Anonymous,
}

/// The word of the leaf `identity`.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::definitions) enum IdentityWord {
    Has,
    Known,
    Anonymous,
}

pub(in crate::definitions) static IDENTITY_TESTS: Words<IdentityWord> = Words {
    name: "identity_test",
    rows: &[
        ("has", IdentityWord::Has, "The profile holds an identifier of `type`."),
        ("known", IdentityWord::Known, "The profile holds a person or contact identifier."),
        ("anonymous", IdentityWord::Anonymous, "The profile holds neither a person nor a contact identifier."),
    ],
};

impl IdentityTest {
    fn read(fields: &mut Fields<'_>) -> Option<IdentityTest> {
        let word = fields.required(&leaf::identity::IDENTITY, |node| node.word(&IDENTITY_TESTS));
        if word == Some(IdentityWord::Has) {
            return fields.required(&leaf::identity::TYPE, |node| node.text()).map(IdentityTest::Has);
        }
        let superfluous = fields.optional(&leaf::identity::TYPE, |node| {
            if word.is_some() {
                node.fault("`type` belongs to `\"identity\": \"has\"`");
            }
            Some(())
        });
        let test = if word? == IdentityWord::Known { IdentityTest::Known } else { IdentityTest::Anonymous };
        superfluous.is_none().then_some(test)
    }
}

/// The leaf `account`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTest {
    /// The account's identifier.
    pub account: String,
    /// Its type; `group_id` if absent.
    pub account_type: String,
}

impl AccountTest {
    fn read(fields: &mut Fields<'_>) -> Option<AccountTest> {
        let account = fields.required(&leaf::account::ACCOUNT, |node| node.text());
        let is_typed = fields.has("type");
        let account_type = fields.optional(&leaf::account::TYPE, |node| node.text());
        if account_type.is_some() != is_typed {
            return None;
        }
        Some(AccountTest { account: account?, account_type: account_type.unwrap_or_else(|| "group_id".to_owned()) })
    }
}

/// The leaf `consent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentTest {
    /// For which use.
    pub purpose: String,
    /// On which channel; on all if absent.
    pub channel: Option<String>,
    /// The state it must have.
    pub status: ConsentStatus,
}

impl ConsentTest {
    fn read(fields: &mut Fields<'_>) -> Option<ConsentTest> {
        let purpose = fields.required(&leaf::consent::CONSENT, |node| node.text());
        let (on_channel, is_given) = (fields.has("channel"), fields.has("status"));
        let channel = fields.optional(&leaf::consent::CHANNEL, |node| node.text());
        let status = fields.optional(&leaf::consent::STATUS, |node| node.word(&CONSENT_STATUSES));
        if channel.is_some() != on_channel || status.is_some() != is_given {
            return None;
        }
        Some(ConsentTest { purpose: purpose?, channel, status: status.unwrap_or(ConsentStatus::Granted) })
    }
}

/// The leaf `bucket`: the profile's bucket under a seed lies in `from..to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketTest {
    /// Makes one drawing independent of another: profiles of one bucket under a seed are spread over all buckets under
    /// another seed.
    pub seed: String,
    /// The least bucket.
    pub from: u16,
    /// The bucket after the greatest one.
    pub to: u16,
}

impl BucketTest {
    /// How many buckets there are, numbered from 0.
    pub const COUNT: u16 = 10_000;

    fn read(node: Node<'_>) -> Option<BucketTest> {
        let end = |node: Node<'_>| {
            node.integer(0, i64::from(BucketTest::COUNT)).and_then(|bucket| u16::try_from(bucket).ok())
        };
        let mut fields = node.fields()?;
        let seed = fields.required(&leaf::bucket_range::SEED, |node| node.text());
        let from = fields.required(&leaf::bucket_range::FROM, end);
        let to = fields.required(&leaf::bucket_range::TO, end);
        fields.finish();
        let (seed, from, to) = (seed?, from?, to?);
        if from >= to {
            node.fault(
                "`from` must be less than `to`: {\"from\": 0, \"to\": 1000} is the first tenth of 10,000 buckets",
            );
            return None;
        }
        Some(BucketTest { seed, from, to })
    }
}

/// The state of a person's consent for a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentStatus {
    /// The latest choice allows it.
    Granted,
    /// The latest choice forbids it.
    Denied,
    /// There is no choice.
    Unknown,
    /// Joined profiles disagree, and no choice was made since.
    Conflict,
}

pub(in crate::definitions) static CONSENT_STATUSES: Words<ConsentStatus> = Words {
    name: "consent_status",
    rows: &[
        ("granted", ConsentStatus::Granted, "The latest choice allows it."),
        ("denied", ConsentStatus::Denied, "The latest choice forbids it."),
        ("unknown", ConsentStatus::Unknown, "There is no choice."),
        ("conflict", ConsentStatus::Conflict, "Joined profiles disagree, and no choice was made since."),
    ],
};

impl ConsentStatus {
    /// The word for this state.
    pub fn as_str(self) -> &'static str {
        match self {
            ConsentStatus::Granted => "granted",
            ConsentStatus::Denied => "denied",
            ConsentStatus::Unknown => "unknown",
            ConsentStatus::Conflict => "conflict",
        }
    }
}
