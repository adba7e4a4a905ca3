//! How unification fares: sizes of profiles, shares of known people, what guards and operators keep apart.

use std::collections::{BTreeMap, BTreeSet};

use crate::definitions::Role;
use crate::engine::handle::Cdp;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::records::Value;

/// How many values the identity report shows of those that most others name.
const SHOWN_HUBS: usize = 10;

impl Cdp {
    /// How unification fares: `{profiles, known, anonymous, match_rate, largest_profile, profile_sizes, identifiers,
    /// accounts, refused_links, hubs, decisions, linkage}`.
    ///
    /// `match_rate` is the share of device identifiers that belong to a known profile (null without devices),
    /// `profile_sizes` counts profiles by their number of identifiers, `refused_links` pairs of identifiers by the reason
    /// (the table `links` lists them), `hubs` the ten values that most others name, beyond what their guard lets link:
    /// `{identifier, linked, kept_out}`; `linkage` is null without one, else `{model_version, live}`: `on`, `off`, or `waits`
    /// where single profiles are not compared until the next [`Cdp::link`]. Cost grows with the store.
    pub fn identity_report(&self) -> Result<Value> {
        let at = self.now();
        self.read_at_length(|snapshot| {
            let (mut known, mut anonymous) = (0i64, 0i64);
            let (mut devices, mut matched) = (0i64, 0i64);
            let mut sizes: BTreeMap<usize, i64> = BTreeMap::new();
            let mut types: BTreeMap<&str, i64> = BTreeMap::new();
            let mut accounts: BTreeSet<(String, String)> = BTreeSet::new();
            for person in snapshot.people(at)? {
                let is_known = crate::rules::ProfileView::is_known(&person, at);
                match is_known {
                    true => known += 1,
                    false => anonymous += 1,
                }
                accounts.extend(person.accounts(at)?.map(|(kind, account)| (kind.to_owned(), account.to_owned())));
                let named = person.nodes_named_by(at);
                *sizes.entry(named.len()).or_default() += 1;
                for node in named {
                    if snapshot.type_rule(node).role == Role::Device {
                        devices += 1;
                        matched += i64::from(is_known);
                    }
                    *types.entry(snapshot.memory.node(node).0).or_default() += 1;
                }
            }
            let refused = snapshot.people.partition.refused(snapshot).into_iter();
            let mut refused: BTreeMap<String, i64> =
                refused.map(|(reason, count)| (reason, i64::try_from(count).unwrap_or(i64::MAX))).collect();
            for (identifier_type, count) in snapshot.facts.blocked_counts()? {
                *refused.entry(format!("blocked_value:{}", snapshot.memory.name(identifier_type))).or_default() +=
                    count;
            }
            let mut hubs = snapshot.people.partition.hubs();
            hubs.sort_by_key(|(node, _, kept_out)| (std::cmp::Reverse(*kept_out), snapshot.memory.node(*node)));
            let hubs = hubs.into_iter().take(SHOWN_HUBS).map(|(node, linked, kept_out)| {
                Value::object([
                    ("identifier", snapshot.identifier(node)),
                    ("linked", Value::count(linked)),
                    ("kept_out", Value::count(kept_out)),
                ])
            });
            let decisions = snapshot.people.decisions.counts().into_iter();
            let decisions = decisions.map(|(kind, n)| (kind.as_str().to_owned(), Value::count(n)));
            let counts = |counts: Vec<(String, i64)>| {
                Value::Object(counts.into_iter().map(|(name, n)| (name, Value::integer(n))).collect())
            };
            Ok(Value::object([
                ("profiles", Value::integer(known + anonymous)),
                ("known", Value::integer(known)),
                ("anonymous", Value::integer(anonymous)),
                ("match_rate", if devices == 0 { Value::Null } else { Value::float(matched as f64 / devices as f64) }),
                ("largest_profile", Value::count(sizes.keys().next_back().copied().unwrap_or(0))),
                ("profile_sizes", counts(sizes.into_iter().map(|(size, n)| (size.to_string(), n)).collect())),
                ("identifiers", counts(types.into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect())),
                ("accounts", Value::count(accounts.len())),
                ("refused_links", counts(refused.into_iter().collect())),
                ("hubs", Value::List(hubs.collect())),
                ("decisions", Value::Object(decisions.collect())),
                ("linkage", linkage_of(snapshot)?),
            ]))
        })
    }
}

/// The model of linkage, and whether single profiles are compared with it.
fn linkage_of(snapshot: &Snapshot<'_>) -> Result<Value> {
    let Some(linkage) = &snapshot.catalog.identity().linkage else { return Ok(Value::Null) };
    let live = match snapshot.facts.linkage_live()? {
        _ if !linkage.live => "off",
        Some(_) => "on",
        None => "waits",
    };
    let model = snapshot.facts.linkage_model()?;
    Ok(Value::object([
        ("model_version", model.map_or(Value::Null, |model| Value::integer(model.version))),
        ("live", Value::from(live)),
    ]))
}
