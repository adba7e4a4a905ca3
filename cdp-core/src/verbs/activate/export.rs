//! Export: the members of an audience who allow the purpose, to a file.

use std::path::Path as FilePath;

use crate::definitions::Catalog;
use crate::engine::handle::Cdp;
use crate::engine::people::find::Filter;
use crate::engine::people::person::Person;
use crate::engine::people::query::Query;
use crate::engine::people::table::{DEFAULT_COLUMNS, people_table};
use crate::error::{Error, Result};
use crate::privacy::Withheld;
use crate::records::answer::answer;
use crate::records::options::options;
use crate::verbs::activate::file::{ExportFormat, write_file};

options! {
    /// Which people leave the store, for which purpose, and in which form.
    pub struct ExportRequest {
        /// The audience whose members leave; or give a destination.
        audience: optional String,
        /// The destination definition, which has audience, purpose, channel and columns.
        destination: optional String,
        /// The file to write; an existing file is replaced.
        path: value String,
        /// `csv` or `ndjson`; by the file name without it.
        format: optional String,
        /// The purpose of use; required with an audience.
        purpose: optional String,
        /// The channel, such as `email`.
        channel: optional String,
        /// Columns, as in [`Query`].
        columns: list,
    }
}

answer! {
    /// The rows that left the store, and the people who were withheld.
    pub struct ExportReport {
        /// The number of rows in the file.
        rows: u64,
        /// The members that are not in the file, by reason.
        withheld: WithheldCounts,
        /// The purpose of use.
        purpose: String,
        /// The channel.
        channel: Option<String>,
        /// How to record choices, where members have not made one.
        hint: Option<String>,
    }
}

answer! {
    /// Members that an export left out, by reason.
    #[derive(Default)]
    pub struct WithheldCounts {
        /// They have not made a choice about the purpose.
        consent_unknown: u64,
        /// They denied the purpose, or joined profiles disagree about it.
        consent_denied: u64,
        /// They have no identifier of the channel.
        no_identifier: u64,
    }
}

impl Cdp {
    /// Writes the members of an audience who allow the purpose to a file.
    ///
    /// Text that a spreadsheet would run as a formula gets a quote before it; the file is private and replaced at once.
    /// Fails with `invalid` where the path leads to a store, another database of SQLite, a file of either, a folder or a device.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::{ConsentOptions, ExportRequest}, define::{Audience, Rule}, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Audience::new("french", Rule::trait_("country").eq("France")))?;
    /// db.identify(Identify::user("u1").trait_("country", "France"))?;
    /// db.consent(("user_id", "u1"), "marketing", true, &ConsentOptions::new())?;
    /// let path = std::env::temp_dir().join(format!("cdp-export-{}.csv", std::process::id()));
    /// let request = ExportRequest::new().audience("french").purpose("marketing").path(path.to_string_lossy());
    /// assert_eq!(db.export(&request)?.rows, 1);
    /// let _ = std::fs::remove_file(path);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn export(&self, request: &ExportRequest) -> Result<ExportReport> {
        let at = self.now();
        let mut withheld = WithheldCounts::default();
        let (plan, format, mut frame) = self.read_at_length(|snapshot| {
            let plan = export_plan(request, snapshot.catalog)?;
            let format = ExportFormat::parse(request.format.as_deref(), FilePath::new(&request.path))?;
            let query = Query {
                columns: Some(plan.columns.iter().map(|(_, column)| column.clone()).collect()),
                ..Query::default()
            };
            let gate = self.gate(snapshot, &plan.purpose, plan.channel.as_deref());
            let mut keep = |person: &Person<'_>| {
                let reason = gate.withholds(person, at)?;
                withheld.count(reason.as_ref());
                Ok(reason.is_none())
            };
            let members = Filter::Members(snapshot.catalog.audience(&plan.audience)?);
            let frame = people_table(snapshot, members, &query, at, Some(&mut keep))?;
            Ok((plan, format, frame))
        })?;
        for (column, (header, _)) in frame.columns.iter_mut().zip(&plan.columns) {
            column.name.clone_from(header);
        }
        write_file(&frame, FilePath::new(&request.path), format)?;
        let unknown = withheld.consent_unknown;
        let purpose = &plan.purpose;
        let hint = (unknown > 0).then(|| {
            format!("{unknown} member(s) have not chosen about `{purpose}`: record choices with consent(..., purpose=\"{purpose}\", status=\"granted\")")
        });
        Ok(ExportReport { rows: frame.n_rows() as u64, withheld, purpose: plan.purpose, channel: plan.channel, hint })
    }
}

/// What leaves, as the definitions have it.
fn export_plan(request: &ExportRequest, catalog: &Catalog) -> Result<ExportPlan> {
    let named = |columns: &[String]| columns.iter().map(|column| (column.clone(), column.clone())).collect::<Vec<_>>();
    let default_columns = DEFAULT_COLUMNS.map(str::to_owned);
    match (&request.destination, &request.audience) {
        (Some(destination), None) => {
            if request.purpose.is_some() || request.channel.is_some() || request.columns.is_some() {
                return Err(Error::invalid("export: a destination brings its own purpose, channel and columns")
                    .with_hint("leave them out, or export an audience"));
            }
            let destination = catalog.destination(destination)?;
            catalog.audience(&destination.audience)?;
            let columns =
                if destination.columns.is_empty() { named(&default_columns) } else { destination.columns.clone() };
            Ok(ExportPlan {
                audience: destination.audience.clone(),
                purpose: destination.purpose.clone(),
                channel: destination.channel.clone(),
                columns,
            })
        }
        (None, Some(audience)) => {
            catalog.audience(audience)?;
            let purpose = request.purpose.clone().ok_or_else(|| {
                Error::invalid("export: name the `purpose` the data will be used for")
                    .with_hint("such as purpose=\"marketing\"; without a purpose no personal data leaves")
            })?;
            let columns = named(request.columns.as_deref().unwrap_or(&default_columns));
            Ok(ExportPlan { audience: audience.clone(), purpose, channel: request.channel.clone(), columns })
        }
        _ => Err(Error::invalid("export: give either an `audience` or a `destination`")),
    }
}

impl WithheldCounts {
    fn count(&mut self, reason: Option<&Withheld>) {
        match reason {
            Some(Withheld::ConsentUnknown) => self.consent_unknown += 1,
            Some(Withheld::ConsentDenied | Withheld::ConsentConflict) => self.consent_denied += 1,
            Some(Withheld::NoIdentifier) => self.no_identifier += 1,
            None => {}
        }
    }
}

struct ExportPlan {
    audience: String,
    purpose: String,
    channel: Option<String>,
    // header, column
    columns: Vec<(String, String)>,
}
