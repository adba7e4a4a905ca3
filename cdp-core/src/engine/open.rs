//! Opening a store: options, and one shared store for each path in a process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use crate::clock::Clock;
use crate::engine::group_commit::Group;
use crate::engine::handle::{Cdp, Inner};
use crate::engine::past::Past;
use crate::engine::queue::Queue;
use crate::engine::state::State;
use crate::engine::transaction::Flow;
use crate::error::{Error, ErrorKind, Result};
use crate::predict::scorers::Scorers;
use crate::records::{Timestamp, Value};
use crate::store::{ConnectOptions, Durability, FileIdentity, Store};

/// How to open a store. Every field has a default: a store in memory, or a file that is created if it is missing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenOptions {
    /// The file; `None` is a store in memory.
    pub path: Option<PathBuf>,
    /// Refuse every change, and never write to the file. With 50,000 identifiers or more the open loads no profiles: single
    /// profiles are read from the file until a read needs all of them, or until loading all is cheaper.
    pub read_only: bool,
    /// Begin a new store if the file is missing or empty.
    pub create: bool,
    /// How much a power cut may take.
    pub durability: Durability,
    /// A clock that stands at this time; `None` is the system clock.
    pub clock: Option<Timestamp>,
    /// Makes profile ids the same in every store with this seed; without it they are random per store.
    pub id_seed: Option<String>,
    /// How long a call waits for another process's lock.
    pub busy_timeout_ms: u64,
    /// Unknown consent denies every purpose, whatever the policy says.
    pub strict_consent: bool,
    /// The largest message, as canonical JSON; 32 KiB by default.
    pub max_message_bytes: usize,
    /// Open an own handle even if the process has the file open already; for tests of several writers.
    pub unshared: bool,
    /// How many messages stay in RAM before they are written out as a run; 250,000 by default. A small number is for tests.
    pub flush_messages: u64,
}

impl OpenOptions {
    /// A store in memory, with every verb.
    pub fn in_memory() -> OpenOptions {
        OpenOptions {
            path: None,
            read_only: false,
            create: true,
            durability: Durability::Full,
            clock: None,
            id_seed: None,
            busy_timeout_ms: 30_000,
            strict_consent: false,
            max_message_bytes: crate::intake::MAX_MESSAGE_BYTES,
            unshared: false,
            flush_messages: crate::store::MemoryOptions::default().flush_messages,
        }
    }

    /// The store in this file, created if it is missing.
    pub fn file(path: impl Into<PathBuf>) -> OpenOptions {
        OpenOptions { path: Some(path.into()), ..OpenOptions::in_memory() }
    }

    /// A clock that stands at `time` and moves by `advance` only; for tests and replays.
    #[must_use]
    pub fn clock(mut self, time: Timestamp) -> OpenOptions {
        self.clock = Some(time);
        self
    }

    /// Profile ids that depend on this seed instead of chance; for tests and golden output.
    #[must_use]
    pub fn id_seed(mut self, seed: impl Into<String>) -> OpenOptions {
        self.id_seed = Some(seed.into());
        self
    }

    /// Refuse every write. A large store then opens without loading its profiles.
    #[must_use]
    pub fn read_only(mut self) -> OpenOptions {
        self.read_only = true;
        self
    }

    /// Whether a missing file is created, which is the default.
    #[must_use]
    pub fn create(mut self, create: bool) -> OpenOptions {
        self.create = create;
        self
    }

    /// When a commit counts as durable; [`Durability::Full`] by default.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> OpenOptions {
        self.durability = durability;
        self
    }

    /// How long a write waits for another process, in milliseconds; 30,000 by default.
    #[must_use]
    pub fn busy_timeout_ms(mut self, busy_timeout_ms: u64) -> OpenOptions {
        self.busy_timeout_ms = busy_timeout_ms;
        self
    }

    /// Whether unknown consent denies every purpose; the policy decides by default.
    #[must_use]
    pub fn strict_consent(mut self, strict_consent: bool) -> OpenOptions {
        self.strict_consent = strict_consent;
        self
    }

    /// Reads the options of the verb `open` from JSON; an unknown option is an error with the nearest name.
    pub fn from_value(request: &Value) -> Result<OpenOptions> {
        let mut options = OpenOptions::in_memory();
        let Some(object) = request.as_object() else { return Err(Error::invalid("open takes an object of options")) };
        for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            let wrong = |what: &str| Error::invalid(format!("open: `{name}` must be {what}, not {}", value.kind()));
            let truth = || value.as_bool().ok_or_else(|| wrong("true or false"));
            let text = || value.as_text().ok_or_else(|| wrong("text"));
            match name.as_str() {
                "path" => options.path = Some(PathBuf::from(text()?)),
                "read_only" => options.read_only = truth()?,
                "create" => options.create = truth()?,
                "durability" => {
                    options.durability = match text()? {
                        "full" => Durability::Full,
                        "relaxed" => Durability::Relaxed,
                        _ => return Err(Error::invalid("open: `durability` must be \"full\" or \"relaxed\"")),
                    }
                }
                "clock" => options.clock = Some(crate::records::timestamp_from(value)?),
                "id_seed" => options.id_seed = Some(text()?.to_owned()),
                "busy_timeout_ms" => {
                    let millis = value
                        .as_number()
                        .and_then(crate::records::Number::as_i64)
                        .and_then(|ms| u64::try_from(ms).ok());
                    options.busy_timeout_ms = millis.ok_or_else(|| wrong("a number of milliseconds"))?;
                }
                "strict_consent" => options.strict_consent = truth()?,
                "limits" => options.max_message_bytes = read_limits(value)?.unwrap_or(options.max_message_bytes),
                "key" => {
                    return Err(Error::invalid("open: `key` is refused: encryption is not available yet")
                        .with_hint("leave `key` out; the file is private to its owner (mode 0600)"));
                }
                _ => {
                    let known = [
                        "path",
                        "read_only",
                        "create",
                        "durability",
                        "clock",
                        "id_seed",
                        "busy_timeout_ms",
                        "strict_consent",
                        "limits",
                    ];
                    let error = Error::invalid(format!("open: unknown option `{name}`"));
                    return Err(error.with_hint(crate::definitions::near_or_all(name, "options", &known)));
                }
            }
        }
        Ok(options)
    }
}

/// `{"message_bytes": n}`: from 1 KiB to 16 MiB.
fn read_limits(limits: &Value) -> Result<Option<usize>> {
    let wrong = || {
        Error::invalid("open: `limits` takes `message_bytes`, from 1024 to 16777216")
            .with_hint("such as limits={\"message_bytes\": 65536}")
    };
    let object = limits.as_object().ok_or_else(wrong)?;
    if object.keys().any(|name| name != "message_bytes") {
        return Err(wrong());
    }
    let Some(bytes) = object.get("message_bytes") else { return Ok(None) };
    let bytes =
        bytes.as_number().and_then(crate::records::Number::as_i64).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.filter(|bytes| (1024..=16 * 1024 * 1024).contains(bytes)).map(Some).ok_or_else(wrong)
}

type Registry = Mutex<HashMap<FileIdentity, Weak<Inner>>>;

// One store for each file of a process: SQLite's locks belong to the process, and a notebook runs its cells twice.
fn registry() -> &'static Registry {
    static OPEN: std::sync::OnceLock<Registry> = std::sync::OnceLock::new();
    OPEN.get_or_init(Registry::default)
}

/// Opens a store; a second open of a path in one process shares the store that is open.
pub(crate) fn open(options: &OpenOptions, flow: &'static Flow) -> Result<Cdp> {
    let Some(path) = &options.path else { return open_new(options, flow) };
    if options.unshared {
        return open_new(options, flow);
    }
    let mut open = registry().lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|_, inner| inner.strong_count() > 0);
    let identity = FileIdentity::of(path).ok().flatten();
    if let Some(inner) = identity.and_then(|identity| open.get(&identity)).and_then(Weak::upgrade)
        && !inner.store.is_closed()
        && inner.store.process_id() == std::process::id()
    {
        return shared(inner, options);
    }
    let cdp = open_new(options, flow)?;
    if let Some(identity) = cdp.inner.store.identity() {
        open.insert(identity.clone(), Arc::downgrade(&cdp.inner));
    }
    Ok(cdp)
}

fn shared(inner: Arc<Inner>, options: &OpenOptions) -> Result<Cdp> {
    let same_access = inner.store.is_read_only() == options.read_only;
    if same_access && options.clock.is_none() {
        return Ok(Cdp::of(inner));
    }
    Err(Error::new(ErrorKind::Conflict, "the store is open already in this process with other options")
        .with_hint("close it first, or open it with the same read_only and without clock"))
}

fn open_new(options: &OpenOptions, flow: &'static Flow) -> Result<Cdp> {
    let salt = options.id_seed.as_ref().map(|seed| *blake3::hash(format!("id_seed:{seed}").as_bytes()).as_bytes());
    let store = Store::open(&ConnectOptions {
        path: options.path.clone(),
        read_only: options.read_only,
        create: options.create,
        durability: options.durability,
        busy_timeout: Duration::from_millis(options.busy_timeout_ms),
        salt,
    })?;
    let memory_options = crate::store::MemoryOptions::with_flush_messages(options.flush_messages);
    let loaded = store.read(|facts, _| {
        if !options.read_only && facts.has_foreign_runs()? {
            return Ok(None);
        }
        let may_wait = options.read_only && facts.n_nodes()? >= memory_options.many_nodes;
        let load = if may_wait { State::load_without_profiles } else { State::load };
        load(facts, Some(&store), memory_options).map(Some)
    })?;
    let state = match loaded {
        Some(state) => state,
        None => store.write(|facts| Ok((State::replace_runs(facts, memory_options)?, ())), || (), |(), ()| ())?,
    };
    if salt.is_some_and(|salt| salt != state.meta.salt) {
        return Err(Error::new(ErrorKind::Conflict, "the store was created with another id_seed, or without one")
            .with_hint("open it without id_seed; profile ids keep the seed that the store was created with"));
    }
    let clock = options.clock.map_or(Clock::System, Clock::manual);
    Ok(Cdp::of(Arc::new(Inner {
        store,
        state: RwLock::new(state),
        clock,
        group: Group::default(),
        queue: Queue::default(),
        scorers: Scorers::default(),
        flow,
        strict_consent: options.strict_consent,
        interrupts: AtomicU64::new(0),
        open_handles: AtomicUsize::new(0),
        max_message_bytes: options.max_message_bytes,
        memory_options,
        past: Past::default(),
        n_found_nearby: AtomicU32::new(0),
    })))
}
