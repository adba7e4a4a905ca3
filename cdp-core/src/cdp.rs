//! Opening a store, and the order of the flow: collect -> unify -> aggregate -> segment -> predict -> decide -> export.
//!
//! This is the only file that knows all modules. It wires what a transaction derives before it ends, and what `verify` checks;
//! the engine runs it without naming a verb.

use std::path::PathBuf;

use crate::engine::open;
use crate::engine::transaction::{Flow, Transaction};
use crate::error::Result;
use crate::verbs::{inspect, segment, unify};

pub use crate::engine::handle::Cdp;
pub use crate::engine::interruption::Progress;
pub use crate::engine::open::OpenOptions;
pub use crate::engine::people::consent::PurposeConsent;
pub use crate::engine::people::pages::Pages;
pub use crate::engine::people::query::{PageOptions, Query};
pub use crate::engine::people::values::CohortScore;
pub use crate::intake::input::Data;
pub use crate::records::{AsOf, Identifier, IntoIdentifier};
pub use crate::verbs::activate::choose::Decision;
pub use crate::verbs::activate::decide::DecideOptions;
pub use crate::verbs::activate::export::{ExportReport, ExportRequest, WithheldCounts};
pub use crate::verbs::activate::table::TableQuery;
pub use crate::verbs::aggregate::features::FeatureQuery;
pub use crate::verbs::collect::ingest::IngestOptions;
pub use crate::verbs::collect::quarantine::RejectsQuery;
pub use crate::verbs::collect::send::IntoMessage;
pub use crate::verbs::define::plan::{DefineResult, PeopleChange};
pub use crate::verbs::govern::consent::ConsentOptions;
pub use crate::verbs::inspect::schema::StoreSchema;
pub use crate::verbs::inspect::stats::{Stats, Versions};
pub use crate::verbs::inspect::verify::Verification;
pub use crate::verbs::predict::judge::{
    ColumnDrift, DriftReport, EvaluateOptions, ExplainOptions, ModelEvaluation, PredictionExplanation, TermContribution,
};
pub use crate::verbs::predict::predictions::{IntoSubject, PredictOptions, PredictionAnswer, Subject};
pub use crate::verbs::predict::registry::ModelReport;
pub use crate::verbs::predict::similar::SimilarOptions;
pub use crate::verbs::predict::training_rows::TrainOptions;
pub use crate::verbs::segment::changes::ChangesQuery;
pub use crate::verbs::segment::members::{MemberExplanation, Preview};
pub use crate::verbs::segment::rebuild::Advance;
pub use crate::verbs::unify::decisions::{DecisionOptions, OperatorDecision, ProfileIds};
pub use crate::verbs::unify::explain::{EvidenceStep, LinkExplanation, ProbableEvidence, RefusedStep};
pub use crate::verbs::unify::link::{LinkOptions, LinkReport};
pub use crate::verbs::unify::profile::{EventsQuery, Profile};
pub use crate::verbs::unify::report::{IdentityHub, IdentityReport, LinkageState};
pub use crate::verbs::unify::suggestions::{LinkEvaluation, LinkScores, ReviewOptions, ThresholdScores};

static FLOW: Flow = Flow {
    derive,
    backfill: segment::rebuild::backfill,
    checks: &[
        inspect::verify::partition_faults,
        unify::live_check::record_faults,
        inspect::verify::block_faults,
        |snapshot, _| snapshot.unfindable(),
        segment::rebuild::membership_faults,
    ],
};

/// Brings people and audiences up to date with what a transaction has accepted so far: profiles first, then memberships.
fn derive(tx: &mut Transaction<'_>) -> Result<()> {
    unify::live::unify(tx)?;
    tx.count_new_profiles();
    segment::upkeep::keep_audiences(tx)
}

impl Cdp {
    /// Opens a store. A second open of a file in one process, by whatever name, shares the store that is open.
    ///
    /// Fails with `io` if the path cannot be used, `incompatible` for a foreign or newer file, or one to whose
    /// tables another tool has added a trigger, a view, an index or a column (its bytes stay
    /// unchanged), `corrupt` for a damaged one, `busy` if another process holds the lock for longer than the timeout.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory().id_seed("tests"))?;
    /// assert!(!db.is_closed());
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn open(options: OpenOptions) -> Result<Cdp> {
        open::open(&options, &FLOW)
    }

    /// Opens the store in a file, created if it is missing, with the defaults.
    pub fn open_file(path: impl Into<PathBuf>) -> Result<Cdp> {
        Cdp::open(OpenOptions::file(path))
    }
}
