/**
 * An embedded customer data platform over one SQLite file: collect, unify, aggregate, segment, predict, decide, export.
 *
 * Every verb is there twice: `track()` works on the calling thread, `trackAsync()` off it. Verbs that send one message are
 * queued and share durable commits, so a thousand at once cost few; the others run on libuv's pool. Options and fields of
 * results are camelCase; what is yours (traits, properties, features, names of columns and audiences, definitions) keeps
 * the names you gave it. Times are RFC 3339 text in UTC.
 */

/** RFC 3339 text, milliseconds since 1970, or a Date. */
export type Time = string | number | Date
/** An instant to ask for. */
export type AsOf = Time | { valid?: Time; known?: Time }
export interface ExplainPredictionOptions {
  text?: string
  /** The class to explain; the most probable one by default. */
  cohort?: string
  /** Keeps the strongest contributions. */
  topK?: number
}

export interface PredictionExplanation {
  cohort: string | null
  intercept: number
  contributions: { term: string; logit: number }[]
  logit: number
  temperature: number
  method: string
  modelVersion: number | null
}

/** A cohort that is told apart by what it is about. */
export interface DescribedCohort {
  cohort: string
  description: string
  keywords: string[]
}

/** Says which cohort each text belongs to: a list of answers, one for each text, or JSON text of it. */
export type Scorer = (
  texts: string[], cohorts: DescribedCohort[]
) => ScorerAnswer[] | string | Promise<ScorerAnswer[] | string>
export interface ScorerAnswer {
  cohort: string | null
  /** From 0 to 1. */
  score: number
}

export interface SimilarOptions {
  /** How many; 10 by default. */
  k?: number
  predictor?: string
  embedding?: string
}

/** One identifier: `{ userId: '14646' }`, `{ email: ... }`, any declared type, or `{ profileId: ... }`. */
export type Identifier = Record<string, string | number>
/** A rule, as in the definition of an audience. */
export type Rule = Record<string, unknown>
/** One definition: `{ kind: 'feature', name: 'orders', ... }`, in snake_case. */
export interface Definition {
  kind: string
  name: string
  [field: string]: unknown
}
/** A Segment message, in either casing. */
export type Message = Record<string, unknown>

/** What a caller can do about an error. */
export type ErrorCode =
  | 'invalid' | 'not_found' | 'closed' | 'conflict' | 'erased' | 'consent_missing'
  | 'busy' | 'incompatible' | 'corrupt' | 'io' | 'interrupted' | 'internal'

/** The one error of the product. Its message names fields and definitions, never a value that belongs to a person. */
export class CdpError extends Error {
  readonly code: ErrorCode
  /** The next step, where there is one. */
  readonly hint: string | null
  /** The JSON pointer of the first fault of a document. */
  readonly pointer: string | null
  /** Every fault of a document. */
  readonly faults: ReadonlyArray<{ pointer: string; message: string }>
}

/** What became of the data of one call: accepted + duplicates + suppressed + rejected + ignored = messages. */
export interface Receipt {
  rows: number
  messages: number
  accepted: number
  duplicates: number
  conflicting: number
  suppressed: number
  rejected: number
  ignored: number
  merges: number
  newProfiles: number
  firstRejects: Array<{ row: number | null; reason: string; field: string | null; detail: string }>
  warnings: string[]
  messageId: string | null
  profileId: string | null
}

export interface Profile<Traits = Record<string, unknown>, Features = Record<string, unknown>> {
  id: string
  /** Values by identifier type. */
  ids: Record<string, string[]>
  traits: Traits
  features: Features
  audiences: string[]
  cohorts: Record<string, unknown>
  consents: Record<string, unknown>
  firstSeen: string | null
  lastSeen: string | null
  mergedFrom: string[]
}

/** A page of a table; its columns keep the names you asked for. */
export interface Frame<Row = Record<string, unknown>> {
  rows: Row[]
  /** Pass as `after` to get the next page; null on the last one. */
  next: string | null
  [about: string]: unknown
}

export interface Defined {
  kind: string
  name: string
  version: number
  status: string
  warnings: string[]
}

export interface Prediction {
  cohort: string | null
  score: number | null
  scores: Record<string, number>
  method: string
  modelVersion: number | null
  /** The class that the person is labelled with. */
  label: string | null
  /** Why a registered scorer was not believed. */
  lastError: string | null
}

export interface Decision<Choice = Record<string, unknown>> {
  choice: Choice
  matched: unknown
  known: boolean
  reasons: unknown[]
  evaluated: unknown[]
}

export interface Exported {
  rows: number
  withheld: { consentUnknown: number; consentDenied: number; noIdentifier: number }
  [field: string]: unknown
}

/** One piece of evidence between two identifiers; `messages` counts what says the same. */
export interface LinkStep {
  from: Record<string, string>
  to: Record<string, string>
  messageId: string | null
  source: string | null
  decision: number | null
  rule: string
  class: 'exact' | 'operator' | 'probable'
  occurredAt: string
  messages: number
  /** Of a probable step: the model and its log2 of the odds, of which `parts` are what it is made of. */
  modelVersion?: number
  weight?: number
  probability?: number
  parts?: Array<{ part: string; level: string | null; m: number | null; u: number | null; weight: number }>
}

export interface LinkRunOptions {
  /** Where random choices of the training begin. */
  seed?: number
  /** Change nothing, only tell what would. */
  dryRun?: boolean
}

/** What a run of linkage did. */
export interface LinkRun {
  modelVersion: number
  /** Whether the model may be trusted; only a green one links without a person looking. */
  verdict: 'green' | 'yellow' | 'red'
  reasons: string[]
  records: number
  suggestions: number
  links: number
  added: number
  removed: number
  /** What was compared, and as what. */
  columns: Record<string, string>
  [field: string]: unknown
}

export interface LinkSuggestion {
  suggestion: string
  a_profile_id: string
  a_ids: string
  b_profile_id: string
  b_ids: string
  weight: number
  probability: number
  model_version: number
}

export type LinkLabel = { a: Identifier; b: Identifier; linked: boolean } | { identifier: Identifier; person: string }

export interface Link {
  linked: boolean
  /** The shortest path of evidence. */
  path: LinkStep[]
  /** Its step with the fewest messages behind it. */
  weakest: LinkStep | null
  /** Further paths that share no link. */
  alternatives: LinkStep[][]
  /** If they are not linked: the shortest way over all evidence, with a reason where it does not count. */
  refused: Array<{ from: Record<string, string>; to: Record<string, string>; reason: string | null }>
}

export interface DecisionOptions {
  /** From when on it holds, now by default; of several decisions about a pair the latest holds. */
  timestamp?: Time
  /** Kept with the decision. */
  reason?: string
  /** Change nothing, only tell what would. */
  dryRun?: boolean
}

export interface LinkDecision {
  /** Its number; null in a dry run. */
  decision: number | null
  type: 'merge' | 'unlink' | 'separate'
  /** Whether the two are one person now. */
  linked: boolean
  before: Array<{ profileId: string; ids: Record<string, string[]> }>
  after: Array<{ profileId: string; ids: Record<string, string[]> }>
  /** What still joins them. */
  path: LinkStep[]
}

export interface OpenOptions {
  /** Refuses every write. A large store then opens in an instant and holds nobody in memory until everybody is asked about. */
  readOnly?: boolean
  /** False fails instead of creating the file. */
  create?: boolean
  durability?: 'full' | 'relaxed'
  /** A time makes a clock that stands still and moves by `advance()` only. */
  clock?: Time
  /** Makes profile ids reproducible. */
  idSeed?: string
  key?: string
  limits?: Record<string, number>
  strictConsent?: boolean
  /** How long a write waits for another process; 1000 by default, because a sync call blocks the event loop. */
  busyTimeoutMs?: number
}

/** What every `...Async` verb takes besides its own options. */
export interface AsyncOptions {
  /**
   * Aborting interrupts the call within a moment, and it rejects with the signal's reason. What it had committed stays: whole
   * batches of an ingest, nothing of an `atomic` one. A queued message is withdrawn, unless its commit has begun: then it
   * resolves.
   */
  signal?: AbortSignal
}
export interface AsOfOption {
  asOf?: AsOf
}
export interface PageOptions {
  /** Rows per page; without it, all. */
  limit?: number
  after?: string
}
export interface TableOptions extends PageOptions, AsOfOption {
  /** `column`, or `-column` for descending. */
  orderBy?: string
  columns?: string[]
}

/** A path, the bytes of a file, one message or row, or many. A wrong row never throws: it is kept as a reject. */
export type Data = string | URL | ArrayBufferView | ArrayBuffer | Iterable<object> | object
export interface IngestOptions {
  /** The source definition that maps the rows; without one, rows are Segment messages. */
  source?: string
  format?: 'json' | 'ndjson' | 'csv' | 'form' | 'text'
  firstRow?: number
  checkpoint?: string
  atomic?: boolean
  batchRows?: number
}
export interface IngestAsyncOptions extends IngestOptions, AsyncOptions {
  /** Called a few times a second; returning false interrupts. */
  onProgress?: (rows: number) => unknown
}

/** Of propensity predictors. */
export interface TrainOptions {
  /** Where the last label window ends; without it, at the latest fact of the label's event. The report's `until` says where. */
  until?: Time
  /** What was recorded by this time counts as history, known as soon as it had happened: for history loaded in several files. */
  known?: Time
}
export interface ConsentOptions {
  purpose: string
  status: string
  /** Without one, the choice is about every channel. */
  channel?: string
  timestamp?: Time
  messageId?: string
}
export interface ExportOptions {
  audience?: string
  destination?: string
  path?: string
  format?: string
  purpose?: string
  channel?: string
  columns?: string[]
}
type MembersOptions = TableOptions
type ProfilesOptions = TableOptions & { where?: Rule }
type EventsOptions = PageOptions & AsOfOption & { event?: string }
type RejectsOptions = PageOptions & { source?: string; reason?: string }
type FeatureTableOptions = AsOfOption & { where?: Rule }
type TableReadOptions = AsOfOption & { columns?: string[]; where?: Rule; limit?: number }
type EvaluateOptions = { folds?: number; split?: 'stratified' | 'time' }
type PredictOptions = { text?: string; topK?: number }
type Definitions = Definition | Definition[] | string | URL
type DefineOptions = { dryRun?: boolean }

/** An open store. Keep it on the thread that opened it; another thread opens the same path for itself. */
export class Cdp {
  private constructor()
  /** Whether the store was closed. */
  readonly closed: boolean
  /**
   * Closes the store, once what is queued was taken in; closing twice is fine, any other verb then throws with code
   * `closed`. `closeAsync` does not hold up the event loop meanwhile.
   */
  close(): void
  closeAsync(): Promise<void>
  [Symbol.dispose](): void
  [Symbol.asyncDispose](): Promise<void>
  /** Runs a verb by its name in the table, with its parameters in snake_case, and returns the answer unchanged. */
  call(verb: string, request?: Record<string, unknown>): unknown

  // Defining

  /** Stores definitions (objects, a .json file or a folder of them) in one transaction; every fault is reported at once. */
  define(definitions: Definitions, options?: DefineOptions): Defined[]
  defineAsync(definitions: Definitions, options?: DefineOptions & AsyncOptions): Promise<Defined[]>
  /** All definitions as they stand, in snake_case. */
  definitions(): Definition[]
  definitionsAsync(options?: AsyncOptions): Promise<Definition[]>
  /** Removes a definition and what was derived from it; facts stay. */
  dropDefinition(kind: string, name: string): unknown
  dropDefinitionAsync(kind: string, name: string, options?: AsyncOptions): Promise<unknown>
  /** What the store has seen: events with their properties, and traits. */
  schema(): unknown
  schemaAsync(options?: AsyncOptions): Promise<unknown>

  // Collecting

  /** Records who somebody is: `{ userId, traits, timestamp, messageId }`. Throws on a bad message. */
  identify(message: Message): Receipt
  identifyAsync(message: Message, options?: AsyncOptions): Promise<Receipt>
  /** Records something a person did: `{ userId, event, properties }`. */
  track(message: Message): Receipt
  trackAsync(message: Message, options?: AsyncOptions): Promise<Receipt>
  page(message: Message): Receipt
  pageAsync(message: Message, options?: AsyncOptions): Promise<Receipt>
  screen(message: Message): Receipt
  screenAsync(message: Message, options?: AsyncOptions): Promise<Receipt>
  /** Records that a person belongs to an account: `{ userId, groupId, traits }`. */
  group(message: Message): Receipt
  groupAsync(message: Message, options?: AsyncOptions): Promise<Receipt>
  /** Records that two identifiers are one person: `{ previousId, userId }`. */
  alias(message: Message): Receipt
  aliasAsync(message: Message, options?: AsyncOptions): Promise<Receipt>
  /** Takes in many rows or messages. */
  ingest(data: Data, options?: IngestOptions): Receipt
  /** Also takes a Readable or other async iterable, which is gathered first; give a path for large files. */
  ingestAsync(data: Data | AsyncIterable<unknown>, options?: IngestAsyncOptions): Promise<Receipt>
  /** Rows that were not accepted, with reason, field, detail and the raw row, oldest first. */
  rejects(options?: RejectsOptions): Frame
  rejectsAsync(options?: RejectsOptions & AsyncOptions): Promise<Frame>
  iterateRejects(options?: RejectsOptions & AsyncOptions): AsyncGenerator<Record<string, unknown>, void, undefined>
  /** Drives rejected rows again, after their source definition was mended. */
  redrive(options?: { source?: string; reason?: string }): Receipt
  redriveAsync(options?: { source?: string; reason?: string } & AsyncOptions): Promise<Receipt>
  /** How far each source was read: the checkpoint that came with its last data. */
  checkpoints(): Record<string, string>
  checkpointsAsync(options?: AsyncOptions): Promise<Record<string, string>>
  /** Moves the store's time forward, to now by default, and records the audience changes that fell due. */
  advance(to?: Time): unknown
  advanceAsync(to?: Time, options?: AsyncOptions): Promise<unknown>

  // Unifying

  /** The person behind one identifier, or null. */
  profile<Traits = Record<string, unknown>, Features = Record<string, unknown>>(
    identifier: Identifier, options?: AsOfOption
  ): Profile<Traits, Features> | null
  profileAsync<Traits = Record<string, unknown>, Features = Record<string, unknown>>(
    identifier: Identifier, options?: AsOfOption & AsyncOptions
  ): Promise<Profile<Traits, Features> | null>
  /** Everybody, or those for whom the rule `where` holds. */
  profiles<Row = Record<string, unknown>>(options?: ProfilesOptions): Frame<Row>
  profilesAsync<Row = Record<string, unknown>>(options?: ProfilesOptions & AsyncOptions): Promise<Frame<Row>>
  iterateProfiles<Row = Record<string, unknown>>(options?: ProfilesOptions & AsyncOptions): AsyncGenerator<Row, void, undefined>
  /** The events of one person in order of time. */
  events<Row = Record<string, unknown>>(identifier: Identifier, options?: EventsOptions): Frame<Row>
  eventsAsync<Row = Record<string, unknown>>(identifier: Identifier, options?: EventsOptions & AsyncOptions): Promise<Frame<Row>>
  iterateEvents<Row = Record<string, unknown>>(identifier: Identifier, options?: EventsOptions & AsyncOptions): AsyncGenerator<Row, void, undefined>
  /** Where each profile id that was ever handed out leads now. */
  resolve(profileIds: string[]): unknown
  resolveAsync(profileIds: string[], options?: AsyncOptions): Promise<unknown>
  /** Makes two identifiers one person, whatever the limits say; `unlink` of the same two takes it back exactly. */
  merge(a: Identifier, b: Identifier, options?: DecisionOptions): LinkDecision
  mergeAsync(a: Identifier, b: Identifier, options?: DecisionOptions & AsyncOptions): Promise<LinkDecision>
  /** Cuts the direct evidence between two identifiers, past and future. */
  unlink(a: Identifier, b: Identifier, options?: DecisionOptions): LinkDecision
  unlinkAsync(a: Identifier, b: Identifier, options?: DecisionOptions & AsyncOptions): Promise<LinkDecision>
  /** Keeps two people apart whatever the path between them. */
  separate(a: Identifier, b: Identifier, options?: DecisionOptions): LinkDecision
  separateAsync(a: Identifier, b: Identifier, options?: DecisionOptions & AsyncOptions): Promise<LinkDecision>
  /** Why two identifiers are one person, or why not. */
  explainLink(a: Identifier, b: Identifier): Link
  explainLinkAsync(a: Identifier, b: Identifier, options?: AsyncOptions): Promise<Link>
  /** Finds profiles that are probably one person, as `linkage` of the identity definition has it. From then on each message is
   * compared as it comes, with the model of the last run. */
  link(options?: LinkRunOptions): LinkRun
  linkAsync(options?: LinkRunOptions & AsyncOptions): Promise<LinkRun>
  /** The likely pairs of the last run about which nothing is decided, the likeliest first. */
  linkSuggestions<Row = LinkSuggestion>(options?: PageOptions): Frame<Row>
  linkSuggestionsAsync<Row = LinkSuggestion>(options?: PageOptions & AsyncOptions): Promise<Frame<Row>>
  iterateLinkSuggestions<Row = LinkSuggestion>(options?: PageOptions & AsyncOptions): AsyncGenerator<Row, void, undefined>
  /** Accepts a suggestion (a merge) or rejects it (the two are kept apart, whatever later runs find). */
  reviewLink(suggestion: string, accept: boolean, options?: { reason?: string; dryRun?: boolean }): LinkDecision
  reviewLinkAsync(suggestion: string, accept: boolean, options?: { reason?: string; dryRun?: boolean } & AsyncOptions): Promise<LinkDecision>
  /** How good a run would be against labels; stores nothing. */
  evaluateLinks(labels: LinkLabel[]): unknown
  evaluateLinksAsync(labels: LinkLabel[], options?: AsyncOptions): Promise<unknown>
  /** How unification fares: profiles, match rate, sizes, accounts, refused links by reason, hubs, decisions, and whether single
   * profiles are linked by probability (`linkage.live`: `on`, `waits` for a `link`, `off`). */
  identityReport(): unknown
  identityReportAsync(options?: AsyncOptions): Promise<unknown>

  // Aggregating

  /** Feature values of one person at an instant, all or those of `names`. */
  features<Features = Record<string, unknown>>(identifier: Identifier, names?: string[], options?: AsOfOption): Features | null
  featuresAsync<Features = Record<string, unknown>>(
    identifier: Identifier, names?: string[], options?: AsOfOption & AsyncOptions
  ): Promise<Features | null>
  /** Feature values of everybody, one row per profile. */
  featureTable<Row = Record<string, unknown>>(names?: string[], options?: FeatureTableOptions): Frame<Row>
  featureTableAsync<Row = Record<string, unknown>>(names?: string[], options?: FeatureTableOptions & AsyncOptions): Promise<Frame<Row>>

  // Segmenting

  /** The members of an audience at an instant. */
  members<Row = Record<string, unknown>>(audience: string, options?: MembersOptions): Frame<Row>
  membersAsync<Row = Record<string, unknown>>(audience: string, options?: MembersOptions & AsyncOptions): Promise<Frame<Row>>
  /** Pulls the members page by page; `limit` is the size of a page. */
  iterateMembers<Row = Record<string, unknown>>(audience: string, options?: MembersOptions & AsyncOptions): AsyncGenerator<Row, void, undefined>
  /** How many people a rule would hold, without storing it. */
  preview(rule: Rule, options?: AsOfOption): unknown
  previewAsync(rule: Rule, options?: AsOfOption & AsyncOptions): Promise<unknown>
  /** Why a person is or is not in an audience. */
  explainMember(audience: string, identifier: Identifier, options?: AsOfOption): unknown
  explainMemberAsync(audience: string, identifier: Identifier, options?: AsOfOption & AsyncOptions): Promise<unknown>
  /** Who entered and left, in order; `next` continues it. */
  audienceChanges(audience?: string | null, options?: PageOptions): Frame
  audienceChangesAsync(audience?: string | null, options?: PageOptions & AsyncOptions): Promise<Frame>
  iterateAudienceChanges(audience?: string | null, options?: PageOptions & AsyncOptions): AsyncGenerator<Record<string, unknown>, void, undefined>
  /** Computes memberships anew from the facts. */
  rebuild(audience?: string): unknown
  rebuildAsync(audience?: string, options?: AsyncOptions): Promise<unknown>

  // Predicting

  /**
   * Trains a predictor on the facts known now and stores the model as a new version: cohorts by TF-IDF and multinomial logistic
   * regression, a propensity by standardized logistic regression. Of described cohorts it learns which words are alike
   * (`similarity: 'lsa'`) and asks the registered scorer about every text without an answer. Who denied `ml_training` is left
   * out; `withheld` counts them.
   *
   * A propensity learns from three instants that lie a horizon apart. A row is built from facts that had happened by its
   * instant and were recorded by then. At instants before the store recorded the label's event for the first time, loaded
   * history counts instead: what was recorded up to the last of those facts of the label's event that had happened by that
   * first recording. The report's `instants` say what each gave: `at, rows, positives, leftOut` (messages recorded too late).
   */
  train(predictor: string, options?: TrainOptions): Record<string, unknown>
  trainAsync(predictor: string, options?: TrainOptions & AsyncOptions): Promise<Record<string, unknown>>
  /**
   * Lets a function speak for the described cohorts of a predictor while this process has the store open: `trainAsync` keeps its
   * answers, `predictAsync` asks it about a text without one. An error, or an answer of another shape, is asked for again up to
   * `attempts` times (5) with growing pauses from `pauseMs` (200); then likeness of words answers, and `lastError` says why.
   * `train` and `predict` throw meanwhile: they would hold up the thread that has to answer. `null` takes the function away.
   */
  registerScorer(predictor: string, scorer: Scorer | null, options?: { method?: string; attempts?: number; pauseMs?: number }): void
  /**
   * The cohort or propensity of a person, or of a text. `method` says what answered: `rule`, `model` (probabilities that add up
   * to one), `lexical/1` or `lsa/1` (cosines), or the method of a registered scorer.
   */
  predict(predictor: string, options: PredictOptions): Prediction | null
  predict(predictor: string, identifier: Identifier | null, options?: PredictOptions): Prediction | null
  predictAsync(predictor: string, options: PredictOptions & AsyncOptions): Promise<Prediction | null>
  predictAsync(predictor: string, identifier: Identifier | null, options?: PredictOptions & AsyncOptions): Promise<Prediction | null>
  /** The people of a cohort, highest score first, with the method that scored each and the class each is labelled with. */
  cohortMembers<Row = Record<string, unknown>>(predictor: string, cohort: string, options?: PageOptions): Frame<Row>
  cohortMembersAsync<Row = Record<string, unknown>>(predictor: string, cohort: string, options?: PageOptions & AsyncOptions): Promise<Frame<Row>>
  iterateCohortMembers<Row = Record<string, unknown>>(
    predictor: string, cohort: string, options?: PageOptions & AsyncOptions
  ): AsyncGenerator<Row, void, undefined>
  /** The trained models, newest last. */
  models(predictor?: string): unknown
  modelsAsync(predictor?: string, options?: AsyncOptions): Promise<unknown>
  /**
   * Judges a predictor on the facts of now; stores nothing. Cohorts by folds whose classes are spread evenly, or with
   * `split: 'time'` by models of people seen earlier; a propensity on its latest instant, beside the trivial rule.
   */
  evaluate(predictor: string, options?: EvaluateOptions): Record<string, unknown>
  evaluateAsync(predictor: string, options?: EvaluateOptions & AsyncOptions): Promise<Record<string, unknown>>
  /** Why a person or a text has its score: `intercept` and `contributions` add up to the `logit`. */
  explainPrediction(predictor: string, options: ExplainPredictionOptions): PredictionExplanation | null
  explainPrediction(predictor: string, identifier: Identifier | null, options?: ExplainPredictionOptions): PredictionExplanation | null
  explainPredictionAsync(predictor: string, options: ExplainPredictionOptions & AsyncOptions): Promise<PredictionExplanation | null>
  explainPredictionAsync(
    predictor: string, identifier: Identifier | null, options?: ExplainPredictionOptions & AsyncOptions
  ): Promise<PredictionExplanation | null>
  /**
   * How far what the model sees now has moved from what it was trained on, column by column: by Kolmogorov-Smirnov or chi-square
   * up to 1000 reference rows, by Wasserstein or Jensen-Shannon distance beyond; PSI stands beside it.
   */
  drift(predictor: string): Record<string, unknown>
  driftAsync(predictor: string, options?: AsyncOptions): Promise<Record<string, unknown>>
  /** The people most like some others, the nearest first: by a predictor's texts, or by the numbers in a trait. */
  similar<Row = Record<string, unknown>>(identifiers: Identifier[], options: SimilarOptions): Frame<Row>
  similarAsync<Row = Record<string, unknown>>(identifiers: Identifier[], options: SimilarOptions & AsyncOptions): Promise<Frame<Row>>
  /** Puts an older version of a model back, or the one before the latest, as a new version with the same content. */
  activateModel(predictor: string, version?: number): Record<string, unknown>
  activateModelAsync(predictor: string, version?: number, options?: AsyncOptions): Promise<Record<string, unknown>>
  /** A model in its versioned, checked format; terms of fewer than `minDf` (5) documents stay behind. */
  exportModel(predictor: string, version?: number, options?: { minDf?: number }): Buffer
  exportModelAsync(predictor: string, version?: number, options?: { minDf?: number } & AsyncOptions): Promise<Buffer>
  /** Takes in a model that `exportModel` gave as the next version. */
  importModel(predictor: string, data: Uint8Array): Record<string, unknown>
  importModelAsync(predictor: string, data: Uint8Array, options?: AsyncOptions): Promise<Record<string, unknown>>

  // Activating

  /** What a policy chooses for a person, optionally as if `event` had just happened. Nothing is stored. */
  decide<Choice = Record<string, unknown>>(policy: string, identifier: Identifier, event?: Message | null, options?: AsOfOption): Decision<Choice>
  decideAsync<Choice = Record<string, unknown>>(
    policy: string, identifier: Identifier, event?: Message | null, options?: AsOfOption & AsyncOptions
  ): Promise<Decision<Choice>>
  /** Writes the members of an audience to a file; only those whose consent allows the purpose. */
  export(options: ExportOptions): Exported
  exportAsync(options: ExportOptions & AsyncOptions): Promise<Exported>
  /** The tables that `table` reads, with their columns. */
  tables(): unknown
  tablesAsync(options?: AsyncOptions): Promise<unknown>
  /** A whole table: `events`, `profiles`, `memberships`, ... */
  table<Row = Record<string, unknown>>(name: string, options?: TableReadOptions): Frame<Row>
  tableAsync<Row = Record<string, unknown>>(name: string, options?: TableReadOptions & AsyncOptions): Promise<Frame<Row>>

  // Governing

  /** Records a choice of a person about a purpose, for one channel or for all. */
  consent(identifier: Identifier, options: ConsentOptions): Receipt
  consentAsync(identifier: Identifier, options: ConsentOptions & AsyncOptions): Promise<Receipt>
  /** The consent state of a person at an instant. */
  consents(identifier: Identifier, options?: AsOfOption): unknown
  consentsAsync(identifier: Identifier, options?: AsOfOption & AsyncOptions): Promise<unknown>

  // Looking after the store

  /** A hash of everything that holds at an instant. */
  fingerprint(asOf?: AsOf): unknown
  fingerprintAsync(asOf?: AsOf, options?: AsyncOptions): Promise<unknown>
  /** Checks the file and that every derived thing equals what the facts give. */
  verify(): unknown
  verifyAsync(options?: AsyncOptions): Promise<unknown>
  /** Copies the store to a new file that only its owner can read, while others go on reading and writing. */
  backup(path: string): void
  backupAsync(path: string, options?: AsyncOptions): Promise<void>
  /** Counts and sizes of the store; `walBytes` is the length of the write-ahead log beside the file. */
  stats(format?: string): unknown
  statsAsync(format?: string, options?: AsyncOptions): Promise<unknown>
  /** The version of the core and of the file format. */
  version(): unknown
  versionAsync(options?: AsyncOptions): Promise<unknown>
}

/** Opens a store, creating the file if it is not there; without a path, a store in memory. */
export function open(path?: string | URL | null, options?: OpenOptions): Cdp
export function open(options: OpenOptions): Cdp

/** A parameter of a verb, under its snake_case name. */
export interface VerbParameter {
  readonly name: string
  readonly type: string
  readonly required: boolean
  /** Taken by position, in the order of the table; the others stand in the options. */
  readonly positional: boolean
  readonly doc: string
}

/** A row of the core's verb table. */
export interface Verb {
  readonly name: string
  readonly doc: string
  readonly access: 'read' | 'write'
  /** `point`: microseconds to milliseconds; `long`: a scan, a bulk load or a training run. */
  readonly effort: 'point' | 'long'
  readonly parameters: ReadonlyArray<VerbParameter>
}

/** The verb table of the core, under its snake_case names. */
export const VERBS: ReadonlyArray<Verb>
