//! The one error of the product: what was wrong with which input, what was allowed, what to do next.
//!
//! Every module returns [`Error`]; the bindings turn its [`ErrorKind`] into an exception class (Python) or an
//! `err.code` (Node). A message names fields, verbs and definitions; it never contains a value that belongs to a person.

use std::fmt;
use std::sync::Arc;

/// What a caller can do about an error; the same words are exception classes in Python and `err.code` in Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong: fix it and call again.
    Invalid,
    /// What was named (a definition, a model) is not there.
    NotFound,
    /// The handle was closed: open the store again.
    Closed,
    /// The input contradicts what the store already holds.
    Conflict,
    /// The person was erased on request.
    Erased,
    /// The consent policy does not allow this use.
    ConsentMissing,
    /// Another process holds the write lock: try again later.
    Busy,
    /// The file belongs to another application or to a newer version: it was left unchanged.
    Incompatible,
    /// The file is damaged: restore a backup.
    Corrupt,
    /// The operating system refused (disk full, no permission, no such file).
    Io,
    /// The caller interrupted a long call; nothing of the open transaction was kept.
    Interrupted,
    /// A defect of this library: please report it.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [ErrorKind; 12] = [
        ErrorKind::Invalid,
        ErrorKind::NotFound,
        ErrorKind::Closed,
        ErrorKind::Conflict,
        ErrorKind::Erased,
        ErrorKind::ConsentMissing,
        ErrorKind::Busy,
        ErrorKind::Incompatible,
        ErrorKind::Corrupt,
        ErrorKind::Io,
        ErrorKind::Interrupted,
        ErrorKind::Internal,
    ];

    /// The word for this kind in every language: `invalid`, `not_found`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Invalid => "invalid",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Closed => "closed",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Erased => "erased",
            ErrorKind::ConsentMissing => "consent_missing",
            ErrorKind::Busy => "busy",
            ErrorKind::Incompatible => "incompatible",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::Io => "io",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One fault of a document, found at a JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: `/rule/all/0/within`.
    pub pointer: String,
    /// What was wrong and what was allowed.
    pub message: String,
}

/// What went wrong, for a person and for a program.
///
/// ```
/// use cdp_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::NotFound, "no audience named `vip`").with_hint("audiences: high_value_30d");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.to_string(), "no audience named `vip`; hint: audiences: high_value_30d");
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<ErrorParts>);

#[derive(Clone, Debug)]
struct ErrorParts {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    faults: Vec<Fault>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a one-line message that holds no personal value.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(ErrorParts { kind, message: message.into(), hint: None, faults: Vec::new(), source: None }))
    }

    /// An [`ErrorKind::Invalid`] error.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message)
    }

    /// An [`ErrorKind::NotFound`] error.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::NotFound, message)
    }

    /// An [`ErrorKind::Internal`] error: an invariant of this library does not hold.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Internal, message).with_hint("this is a defect of the library, please report it")
    }

    /// All faults of one document as one `invalid` error, each with its pointer.
    pub fn from_faults(what: &str, faults: Vec<Fault>) -> Error {
        let listed: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.message)).collect();
        let mut error = Error::invalid(format!("{what} has {} fault(s): {}", faults.len(), listed.join("; ")));
        error.0.faults = faults;
        error
    }

    /// An `invalid` error about one field.
    pub(crate) fn of_field(message: String, fault: Fault) -> Error {
        let mut error = Error::invalid(message);
        error.0.faults.push(fault);
        error
    }

    /// This error with its cause, which [`std::error::Error::source`] gives. The cause must not hold a personal value: an
    /// answer of the operating system or of SQLite does not.
    ///
    /// ```
    /// use std::error::Error as _;
    /// use cdp_core::{Error, ErrorKind};
    /// let cause = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    /// let error = Error::new(ErrorKind::Io, "the file cannot be read").with_source(cause);
    /// assert_eq!(error.source().unwrap().to_string(), "permission denied");
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The error with the next step for the caller.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was wrong, without the hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The next step, where there is one.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The JSON pointer of the first fault, for errors in a document.
    pub fn pointer(&self) -> Option<&str> {
        self.0.faults.first().map(|fault| fault.pointer.as_str())
    }

    /// Every fault of the document, empty for other errors.
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, "; hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
