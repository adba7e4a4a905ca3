// Which names change their case at the border, and which are the user's own and never do. The whole rule is here:
//
//   in    options, and an identifier's type if it is one of IDENTIFIERS: camelCase -> snake_case;
//         definitions, rules, Segment messages, data rows, column names and every other value pass as they are
//   out   fields of results: snake_case -> camelCase, at any depth, except what lies below one of OWN_NAMES or a
//         field `by_...`, and except the verbs in VERBATIM
'use strict'

/** Identifier types of the preset, which JavaScript people write in camelCase. */
const IDENTIFIERS = {
  userId: 'user_id',
  anonymousId: 'anonymous_id',
  groupId: 'group_id',
  previousId: 'previous_id',
  profileId: 'profile_id',
}

/** Parameters that hold one identifier. */
const IDENTIFIER_PARAMETERS = new Set(['identifier', 'a', 'b'])

/** Fields of results whose content is keyed or written by the user: names of traits, columns, audiences, rules. */
const OWN_NAMES = new Set([
  'ids', 'identifier', 'traits', 'features', 'properties', 'context', 'integrations', 'audiences', 'cohorts', 'consents', 'scores', 'labels',
  'identifiers', 'refused_links', 'profile_sizes', 'from', 'to', 'rows', 'sample', 'columns', 'choice', 'rule', 'when', 'then', 'otherwise',
  'where', 'value', 'values', 'found', 'current', 'definition', 'definitions', 'parameters', 'raw',
])

/** Verbs whose whole answer is the user's own. */
const VERBATIM = new Set(['definitions', 'schema', 'features', 'resolve', 'rebuild', 'checkpoints', 'compile', 'draft_source', 'consents'])

/** Arguments by position; all others stand in the last argument, the options. */
const POSITIONAL = {
  define: ['definitions'],
  drop_definition: ['kind', 'name'],
  advance: ['to'],
  profile: ['identifier'],
  events: ['identifier'],
  resolve: ['profile_ids'],
  explain_link: ['a', 'b'],
  merge: ['a', 'b'],
  unlink: ['a', 'b'],
  separate: ['a', 'b'],
  review_link: ['suggestion', 'accept'],
  evaluate_links: ['labels'],
  features: ['identifier', 'names'],
  feature_table: ['names'],
  members: ['audience'],
  preview: ['rule'],
  explain_member: ['audience', 'identifier'],
  audience_changes: ['audience'],
  rebuild: ['audience'],
  train: ['predictor'],
  predict: ['predictor', 'identifier'],
  cohort_members: ['predictor', 'cohort'],
  models: ['predictor'],
  evaluate: ['predictor'],
  explain_prediction: ['predictor', 'identifier'],
  drift: ['predictor'],
  similar: ['identifiers'],
  activate_model: ['predictor', 'version'],
  export_model: ['predictor', 'version'],
  import_model: ['predictor', 'data'],
  decide: ['policy', 'identifier', 'event'],
  table: ['name'],
  consent: ['identifier'],
  consents: ['identifier'],
  fingerprint: ['as_of'],
  stats: ['format'],
  backup: ['path'],
}

/** Verbs whose one argument is a Segment message. */
const MESSAGES = new Set(['identify', 'track', 'page', 'screen', 'group', 'alias'])

const snake = name => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
// Results have few names, and the same ones again and again.
const MOST_REMEMBERED = 1000
const remembered = new Map()

function camel(name) {
  const known = remembered.get(name)
  if (known !== undefined) return known
  const found = name.replace(/(?<=[^_])_([a-z0-9])/g, (_, letter) => letter.toUpperCase())
  if (remembered.size < MOST_REMEMBERED) remembered.set(name, found)
  return found
}

// Assigned, which costs a fraction of what entries do; but `__proto__` would be no field then.
function put(object, name, value) {
  if (name === '__proto__') Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
  else object[name] = value
}

function snakeOptions(options) {
  const found = {}
  for (const name of Object.keys(options)) put(found, snake(name), options[name])
  return found
}

function identifierIn(identifier) {
  if (identifier === null || typeof identifier !== 'object') return identifier
  const found = {}
  for (const type of Object.keys(identifier)) put(found, IDENTIFIERS[type] ?? type, identifier[type])
  return found
}

const isOwn = name => OWN_NAMES.has(name) || name.startsWith('by_')

function camelResult(value) {
  if (Array.isArray(value)) return value.map(camelResult)
  if (value === null || typeof value !== 'object') return value
  const found = {}
  for (const name of Object.keys(value)) put(found, camel(name), isOwn(name) ? value[name] : camelResult(value[name]))
  return found
}

/** The answer of a verb with its own field names in camelCase. */
function resultOut(verb, value) {
  // The bytes of a model cross the border as base64.
  if (verb === 'export_model') return Buffer.from(value, 'base64')
  return VERBATIM.has(verb) ? value : camelResult(value)
}

module.exports = { IDENTIFIER_PARAMETERS, MESSAGES, POSITIONAL, camel, identifierIn, resultOut, snake, snakeOptions }
