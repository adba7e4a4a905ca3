//! How unification fares: sizes of profiles, shares of known people, what guards and operators keep apart.

use std::collections::{BTreeMap, BTreeSet};

use crate::definitions::Role;
use crate::engine::handle::Cdp;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::records::Value;
use crate::records::answer::answer;

/// How many values the identity report shows of those that most others name.
const SHOWN_HUBS: usize = 10;

answer! {
    /// How unification fares.
    pub struct IdentityReport {
        /// The number of profiles.
        profiles: u64,
        /// Profiles with an identifier of a person or a contact.
        known: u64,
        /// Profiles with device identifiers only.
        anonymous: u64,
        /// The share of device identifiers that belong to a known profile; `None` without devices.
        match_rate: Option<f64>,
        /// The number of identifiers of the largest profile.
        largest_profile: usize,
        /// The number of profiles by their number of identifiers.
        profile_sizes: BTreeMap<usize, u64>,
        /// The number of identifiers by type.
        identifiers: BTreeMap<String, u64>,
        /// The number of accounts.
        accounts: usize,
        /// Pairs of identifiers that are not linked, by the reason; the table `links` lists them.
        refused_links: BTreeMap<String, u64>,
        /// The ten values that most others name, beyond the number that their limit lets link.
        hubs: Vec<IdentityHub>,
        /// The number of decisions of operators that hold, by type.
        decisions: BTreeMap<String, u64>,
        /// Probabilistic linkage; `None` without a definition of it.
        linkage: Option<LinkageState>,
    }
}

answer! {
    /// A value that more identifiers name than its limit lets link.
    pub struct IdentityHub {
        /// The identifier, `{type: value}`.
        identifier: Value,
        /// The number of identifiers that are linked to it.
        linked: usize,
        /// The number of identifiers that are not.
        kept_out: usize,
    }
}

answer! {
    /// The state of probabilistic linkage.
    pub struct LinkageState {
        /// The version of the model; `None` before the first run.
        model_version: Option<u32>,
        /// `on`, `off`, or `waits` where single profiles are not compared until the next [`Cdp::link`].
        live: &'static str,
    }
}

impl Cdp {
    /// How unification fares: sizes of profiles, shares of known people, refused links. Cost grows with the store.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.identify(Identify::user("u1").anonymous_id("browser-1"))?;
    /// let report = db.identity_report()?;
    /// assert_eq!((report.profiles, report.known, report.match_rate), (1, 1, Some(1.0)));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn identity_report(&self) -> Result<IdentityReport> {
        let at = self.now();
        self.read_at_length(|snapshot| {
            let (mut known, mut anonymous) = (0u64, 0u64);
            let (mut devices, mut matched) = (0u64, 0u64);
            let mut sizes: BTreeMap<usize, u64> = BTreeMap::new();
            let mut types: BTreeMap<String, u64> = BTreeMap::new();
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
                        matched += u64::from(is_known);
                    }
                    *types.entry(snapshot.memory.node(node).0.to_owned()).or_default() += 1;
                }
            }
            let refused = snapshot.people.partition.refused(snapshot).into_iter();
            let mut refused: BTreeMap<String, u64> = refused.collect();
            for (identifier_type, count) in snapshot.facts.blocked_counts()? {
                let reason = format!("blocked_value:{}", snapshot.memory.name(identifier_type));
                *refused.entry(reason).or_default() += u64::try_from(count).unwrap_or_default();
            }
            let mut hubs = snapshot.people.partition.hubs();
            hubs.sort_by_key(|(node, _, kept_out)| (std::cmp::Reverse(*kept_out), snapshot.memory.node(*node)));
            let hubs = hubs.into_iter().take(SHOWN_HUBS).map(|(node, linked, kept_out)| IdentityHub {
                identifier: snapshot.identifier(node),
                linked,
                kept_out,
            });
            let decisions = snapshot.people.decisions.counts().into_iter();
            Ok(IdentityReport {
                profiles: known + anonymous,
                known,
                anonymous,
                match_rate: (devices > 0).then(|| matched as f64 / devices as f64),
                largest_profile: sizes.keys().next_back().copied().unwrap_or(0),
                profile_sizes: sizes,
                identifiers: types,
                accounts: accounts.len(),
                refused_links: refused,
                hubs: hubs.collect(),
                decisions: decisions.map(|(kind, count)| (kind.as_str().to_owned(), count as u64)).collect(),
                linkage: linkage_of(snapshot)?,
            })
        })
    }
}

/// The model of linkage, and whether single profiles are compared with it.
fn linkage_of(snapshot: &Snapshot<'_>) -> Result<Option<LinkageState>> {
    let Some(linkage) = &snapshot.catalog.identity().linkage else { return Ok(None) };
    let live = match snapshot.facts.linkage_live()? {
        _ if !linkage.live => "off",
        Some(_) => "on",
        None => "waits",
    };
    let model_version = snapshot.facts.linkage_model()?.map(|model| model.version);
    Ok(Some(LinkageState { model_version, live }))
}
