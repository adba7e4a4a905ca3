//! Members of audiences: lists, previews of rules, and explanations.

use crate::audiences::is_member;
use crate::definitions::Rule;
use crate::engine::handle::Cdp;
use crate::engine::people::find::Filter;
use crate::engine::people::pages::Pages;
use crate::engine::people::query::Query;
use crate::engine::people::table::people_table;
use crate::engine::read::Length;
use crate::error::Result;
use crate::records::answer::answer;
use crate::records::{AsOf, Frame, IntoIdentifier, Number, Object, Timestamp, Value};
use crate::rules;
use crate::rules::explain;

answer! {
    /// The size of an audience that a rule would have.
    pub struct Preview {
        /// The number of people that match.
        matched: u64,
        /// How many of them have an identifier of a person or a contact.
        known: u64,
        /// How many of them have device identifiers only.
        anonymous: u64,
        /// The number of people in the store.
        total: u64,
        /// `matched` as a share of `total`, from 0 to 1; `None` in an empty store.
        share: Option<f64>,
        /// The first ten people that match, as rows of `profile_id, user_id, email`.
        sample: Vec<Object>,
    }
}

answer! {
    /// Why a person is in an audience or not.
    pub struct MemberExplanation {
        /// The name of the audience.
        audience: String,
        /// Whether the person is in it.
        member: bool,
        /// Whether the person has an identifier of a person or a contact.
        known: bool,
        /// The instant of the evaluation.
        as_of: Timestamp,
        /// The rule as a tree: each node with `matched` and the value that was found.
        rule: Value,
    }
}

impl Cdp {
    /// The members of an audience at an instant (default: now), in the order in which they were first seen.
    ///
    /// `about` has the numbers of `known` and `anonymous` members. No `limit` means all rows.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::Query, define::{Audience, Rule}, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Audience::new("buyers", Rule::event("Order Completed").at_least(1)))?;
    /// db.track(Track::new("Order Completed").user_id("u1"))?;
    /// let members = db.members("buyers", &Query::new().columns(["user_id"]))?;
    /// assert_eq!(members.n_rows(), 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn members(&self, audience: &str, query: &Query) -> Result<Frame> {
        self.read_as_of(Length::Long, query.as_of, |snapshot| {
            let filter = Filter::Members(snapshot.catalog.audience(audience)?);
            people_table(snapshot, filter, query, self.instant(query.as_of.unwrap_or_default()), None)
        })
    }

    /// The members of an audience page by page, each page of `query.limit` rows (1,000 without it).
    ///
    /// Each page is a read of its own, so a member that enters or leaves meanwhile may be missed; `as_of` pins the instant.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::Query, define::{Audience, Rule}, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Audience::new("french", Rule::trait_("country").eq("France")))?;
    /// for user in ["u1", "u2", "u3"] {
    ///     db.send(Identify::user(user).trait_("country", "France"))?;
    /// }
    /// let mut members = 0;
    /// for page in db.members_pages("french", Query::new().limit(2usize)) {
    ///     members += page?.n_rows();
    /// }
    /// assert_eq!(members, 3);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn members_pages<'q>(&'q self, audience: &'q str, query: Query) -> Pages<'q> {
        Pages::new(query.after.clone(), query.limit, move |after, limit| {
            self.members(audience, &Query { after, limit: Some(limit), ..query.clone() })
        })
    }

    /// How many people an audience with this rule would have, with the first ten of them; nothing is stored.
    ///
    /// Cost grows with the store.
    ///
    /// # Errors
    /// `invalid` with every fault of the rule and its JSON pointer.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::Rule, records::{AsOf, Track}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.track(Track::new("Order Completed").user_id("u1"))?;
    /// let preview = db.preview(Rule::event("Order Completed").at_least(1), AsOf::NOW)?;
    /// assert_eq!((preview.matched, preview.total), (1, 1));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn preview(&self, rule: impl Into<Value>, as_of: impl Into<AsOf>) -> Result<Preview> {
        let (parsed, as_of) = (Rule::from_value(&rule.into())?, as_of.into());
        let at = self.instant(as_of);
        self.read_with_columns(Some(as_of), &rules::property_paths(&parsed), |snapshot| {
            rules::check_rule(&parsed, snapshot.catalog)?;
            let total = snapshot.n_people(at)?;
            let query = Query { limit: Some(10), ..Query::default() };
            let frame = people_table(snapshot, Filter::Matching(&parsed), &query, at, None)?;
            let sample = (0..frame.n_rows()).map(|row| frame.row(row)).collect();
            let count = |name: &str| frame.about.get(name).and_then(Value::as_number).and_then(Number::as_i64);
            let count = |name: &str| count(name).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
            let (known, anonymous) = (count("known"), count("anonymous"));
            let matched = known + anonymous;
            let share = (total > 0).then(|| matched as f64 / total as f64);
            Ok(Preview { matched, known, anonymous, total: total as u64, share, sample })
        })
    }

    /// Why a person is in an audience or not: the rule as a tree, each node with `matched` and what was found.
    ///
    /// `None` if there is no such person.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::{Audience, Rule}, records::{AsOf, Track}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Audience::new("buyers", Rule::event("Order Completed").at_least(2)))?;
    /// db.track(Track::new("Order Completed").user_id("u1"))?;
    /// let explanation = db.explain_member("buyers", ("user_id", "u1"), AsOf::NOW)?;
    /// assert_eq!(explanation.map(|explanation| explanation.member), Some(false));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn explain_member(
        &self,
        audience: &str,
        identifier: impl IntoIdentifier,
        as_of: impl Into<AsOf>,
    ) -> Result<Option<MemberExplanation>> {
        let (identifier, as_of) = (identifier.into_identifier()?, as_of.into());
        let at = self.instant(as_of);
        self.read_person(&identifier, Some(as_of), at, |snapshot, person| {
            let definition = snapshot.catalog.audience(audience)?;
            let Some(person) = person else { return Ok(None) };
            Ok(Some(MemberExplanation {
                audience: audience.to_owned(),
                member: is_member(definition, &person, at)?,
                known: person.is_known(at),
                as_of: at,
                rule: explain(&definition.rule, &person, at)?,
            }))
        })
    }
}
