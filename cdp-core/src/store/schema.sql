-- Schema 2. Facts first, then what is derived from them and may be dropped and rebuilt.

-- One row, read first in every transaction: its counters show what another process has changed.
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  log_sequence INTEGER NOT NULL,        -- the sequence of the last message
  definitions INTEGER NOT NULL,         -- counts changes of definitions
  erasure_epoch INTEGER NOT NULL,       -- counts erasures: caches of facts are dropped when it differs
  change_sequence INTEGER NOT NULL,     -- the number of the last audience change
  model_sequence INTEGER NOT NULL,      -- counts changes of models
  advanced_to INTEGER,                  -- audiences are current up to this instant; NULL before the first fact
  recorded_at INTEGER NOT NULL,         -- the last recorded_at: it never decreases
  salt BLOB NOT NULL,                   -- the key of profile ids
  revision INTEGER NOT NULL,            -- counts write transactions, also those that only keep a name or a checkpoint
  run_sequence INTEGER NOT NULL,        -- counts runs that became visible or were dropped
  links_to INTEGER NOT NULL DEFAULT 0,  -- up to this message `links` has every link
  decision_sequence INTEGER NOT NULL DEFAULT 0, -- the number of the last decision of an operator
  linkage_runs INTEGER NOT NULL DEFAULT 0, -- counts changes of what linkage found
  untimed_at INTEGER,                   -- the greatest instant that the clock has given to a message; NULL before the first
  untimed_count INTEGER NOT NULL DEFAULT 0, -- how many messages have it
  untimed_greatest INTEGER NOT NULL DEFAULT 0 -- the greatest ordinal that was ever given
) STRICT;

-- Event names, sources and identifier types, each once.
CREATE TABLE names (
  name_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- Texts that recur in payloads: the shapes of messages and values that many nodes share, each once.
CREATE TABLE words (
  word_id INTEGER PRIMARY KEY,
  word TEXT NOT NULL UNIQUE
) STRICT;

-- The log: accepted messages, whole, under their sequence. No other index: an append never touches a random page.
CREATE TABLE messages (
  sequence INTEGER PRIMARY KEY,
  source INTEGER NOT NULL,
  message_id ANY NOT NULL,              -- a BLOB where it is a UUID or a hash in hex
  type INTEGER NOT NULL,
  event INTEGER,
  node INTEGER NOT NULL,
  user_node INTEGER,                    -- whose value is the message's userId, letter by letter: not in the payload
  anonymous_node INTEGER,               -- the same for its anonymousId
  occurred_at INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,             -- orders messages of one instant before their ids: 0 with a time of its own, else counted
  recorded_at INTEGER NOT NULL,
  checksum INTEGER NOT NULL,            -- CRC-32 of the whole message as canonical JSON: tells a damaged row
  left_out INTEGER NOT NULL,            -- members that columns say: 1 messageId, 2 type, 4 event, 8 timestamp
  shape INTEGER,                        -- a word: canonical JSON with byte 1 where a value was; NULL: payload is the JSON
  payload ANY NOT NULL                  -- the values in order: length, kind in two bits (text, literal, word), bytes
) STRICT;

-- Identity nodes: one for each kept identifier.
CREATE TABLE nodes (
  node INTEGER PRIMARY KEY,
  type INTEGER NOT NULL,
  value TEXT NOT NULL
) STRICT;

-- Derived: neighbouring nodes again, as one value, because an open reads them all. Written with the node that fills a
-- block; the nodes after the last block are in `nodes` alone.
CREATE TABLE node_blocks (
  first_node INTEGER PRIMARY KEY,
  data BLOB NOT NULL                    -- checksum, count, type and length of each, values; a UUID as 16 bytes
) STRICT;

-- Identity evidence: the star of links from a message's node, and the blocked values it named. A link that repeats an
-- earlier one is stored in user_node and anonymous_node of its message alone.
CREATE TABLE links (
  sequence INTEGER NOT NULL,
  other INTEGER NOT NULL,
  node INTEGER NOT NULL,
  rule INTEGER NOT NULL,
  occurred_at INTEGER NOT NULL,
  PRIMARY KEY (sequence, other)
) STRICT, WITHOUT ROWID;

-- Derived: the links of neighbouring messages again, as one value. Written with the message that fills a block; the
-- links of the messages after the last block are in `links` alone.
CREATE TABLE link_blocks (
  first_sequence INTEGER PRIMARY KEY,   -- the messages it covers, both ends included
  last_sequence INTEGER NOT NULL,
  data BLOB NOT NULL                    -- checksum, count, each as distances from the one before
) STRICT;

CREATE TABLE blocked (
  sequence INTEGER NOT NULL,
  type INTEGER NOT NULL,
  PRIMARY KEY (sequence, type)
) STRICT, WITHOUT ROWID;

-- Operator decisions about two identifiers. Of the decisions about one pair the one with the latest (occurred_at,
-- decision) holds.
CREATE TABLE decisions (
  decision INTEGER PRIMARY KEY,
  type TEXT NOT NULL,                   -- merge, unlink, separate
  node INTEGER NOT NULL,
  other INTEGER NOT NULL,
  occurred_at INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  reason TEXT
) STRICT;

-- Models of probable linkage, every version, with the sequence of the log they saw.
CREATE TABLE linkage_models (
  version INTEGER PRIMARY KEY,
  sequence INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  content_hash BLOB NOT NULL,
  report TEXT NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

-- Probable pairs of linkage. Pairs that no longer hold are marked as replaced, never deleted.
CREATE TABLE probable_links (
  number INTEGER PRIMARY KEY,
  node INTEGER NOT NULL,
  other INTEGER NOT NULL,
  occurred_at INTEGER NOT NULL,         -- when both people stood as they were compared
  weight REAL NOT NULL,                 -- log2 of the odds that both are one person
  probability REAL NOT NULL,
  model INTEGER NOT NULL,
  is_link INTEGER NOT NULL,             -- 0: a suggestion
  parts TEXT NOT NULL,                  -- JSON list of what the weight is made of
  recorded_at INTEGER NOT NULL,
  replaced_at INTEGER,                  -- when it was not found any more
  replaced_run INTEGER                  -- meta.linkage_runs of that change
) STRICT;
CREATE INDEX probable_links_now ON probable_links (number) WHERE replaced_at IS NULL;
CREATE INDEX probable_links_of_node ON probable_links (node) WHERE replaced_at IS NULL;
CREATE INDEX probable_links_of_other ON probable_links (other) WHERE replaced_at IS NULL;
CREATE INDEX probable_links_gone ON probable_links (replaced_run) WHERE replaced_run IS NOT NULL;

-- Derived: the settings of a run of linkage, with which single profiles are compared as they come. One row; none before
-- the first run, nor after a change of the identity definition.
CREATE TABLE linkage_live (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  model INTEGER NOT NULL,               -- the version of the model that scores
  verdict TEXT NOT NULL,                -- green, yellow, red
  reading TEXT NOT NULL                 -- JSON: the columns of records, and the order of dates
) STRICT;

-- Derived: every compared profile by its representative node, normalized as the model reads it: personal values.
CREATE TABLE linkage_records (
  node INTEGER PRIMARY KEY,
  since INTEGER NOT NULL,               -- since when all of it holds
  record BLOB NOT NULL                  -- slot, length, text of each value
) STRICT;

-- Derived: the records of each blocking key, neighbouring keys in one row.
CREATE TABLE linkage_keys (
  first INTEGER PRIMARY KEY,            -- the first key that the row may hold; it ends where the next one begins
  entries BLOB NOT NULL                 -- key (u48: rule 5 bits, hash 43 bits) and node (u32), big-endian, ascending; one node
                                        -- 4294967295 where too many share the key, which is not followed then
) STRICT;

-- Quarantine: every row that was not accepted, with its reason and its bytes.
CREATE TABLE rejects (
  reject_id INTEGER PRIMARY KEY,
  source INTEGER NOT NULL,
  row INTEGER,
  reason TEXT NOT NULL,
  field TEXT,
  detail TEXT NOT NULL,
  raw BLOB NOT NULL,
  format TEXT NOT NULL,
  content_hash BLOB NOT NULL,
  recorded_at INTEGER NOT NULL,
  UNIQUE (content_hash, source, reason)
) STRICT;

-- The checkpoint of a source; commits together with the batch it belongs to.
CREATE TABLE checkpoints (
  source INTEGER PRIMARY KEY,
  checkpoint TEXT NOT NULL
) STRICT;

-- Definitions, every version.
CREATE TABLE definitions (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  json TEXT,                            -- NULL: dropped in this version
  recorded_at INTEGER NOT NULL,
  PRIMARY KEY (kind, name, version)
) STRICT, WITHOUT ROWID;

-- Trained models, every version, with the sequence of the log they saw.
CREATE TABLE models (
  predictor TEXT NOT NULL,
  version INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  content_hash BLOB NOT NULL,
  report TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (predictor, version)
) STRICT;

-- Derived: the members of each audience, by first node, as of a change of the outbox.
CREATE TABLE membership_snapshots (
  audience TEXT PRIMARY KEY,
  change INTEGER NOT NULL,
  members BLOB NOT NULL                 -- node (4 bytes) and since (8 bytes, milliseconds), by node
) STRICT;

-- The outbox: every flip of a membership, in order; folding it gives the memberships at the last advance.
CREATE TABLE changes (
  change INTEGER PRIMARY KEY,
  audience TEXT NOT NULL,
  node INTEGER NOT NULL,
  type TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  late INTEGER NOT NULL,
  merged_into INTEGER,
  recorded_at INTEGER NOT NULL,
  since INTEGER                         -- the membership that its transaction leaves; NULL: none
) STRICT;

-- Derived: the timelines of all nodes as sorted columnar runs. A run is visible once its row is here; blocks that no
-- row names are leftovers of a run that was replaced or never finished, and are removed before the next one begins.
CREATE TABLE runs (
  run INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice, as caches go by it
  level INTEGER NOT NULL,               -- its size class by blocks: a power of three
  first_sequence INTEGER NOT NULL,      -- the messages it covers, both ends included
  last_sequence INTEGER NOT NULL,
  n_events INTEGER NOT NULL,
  fences BLOB NOT NULL,                 -- of each block: id, nodes, times, events
  nodes BLOB NOT NULL,                  -- which nodes it speaks of, so that others need not be looked for in it
  columns TEXT NOT NULL                 -- JSON list of the property paths that its blocks have as columns
) STRICT;

CREATE TABLE run_blocks (
  block INTEGER PRIMARY KEY AUTOINCREMENT, -- ascending in the order of writing: an append never touches a random page
  data BLOB NOT NULL
) STRICT;

-- The beginnings of the nodes of each block: an open reads these instead of timelines.
CREATE TABLE run_beginnings (
  block INTEGER PRIMARY KEY,
  data BLOB NOT NULL                    -- checksum, nodes, when each was first named, its first sequence, names of events
) STRICT;

-- The flat map: hash -> log sequence, of (source, message id), and of an identifier for the message that named it first and
-- for each that `links` has of it. Derived from the log; may be dropped and rebuilt.

-- One row. A process whose RAM stands at another generation must refresh before it writes a step.
CREATE TABLE map_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  generation INTEGER NOT NULL,          -- counts steps of maintenance
  next_block INTEGER NOT NULL,          -- numbers of blocks are never given twice
  next_run INTEGER NOT NULL             -- nor are numbers of runs
) STRICT;
INSERT INTO map_state VALUES (1, 0, 1, 1);

-- A sorted run, visible by this row alone.
CREATE TABLE map_runs (
  run INTEGER PRIMARY KEY,
  keys INTEGER NOT NULL,
  greatest INTEGER NOT NULL,            -- the greatest log sequence in it
  directory BLOB NOT NULL               -- where its blocks lie, and the first hash of each
) STRICT;

-- Blocks of sorted (hash, sequence) pairs and slices of filters. A block no run names is left over and will be deleted.
CREATE TABLE map_blocks (
  block INTEGER PRIMARY KEY,
  data BLOB NOT NULL
) STRICT;
