// Which names change their case at the border, and which are the user's own and never do. The whole rule is here:
//
//   in    options, and an identifier's type if it is one of IDENTIFIERS: camelCase -> snake_case;
//         definitions, rules, Segment messages, data rows, column names and every other value pass as they are
//   out   fields of results: snake_case -> camelCase, at any depth, except below a field of `user_keyed_fields` or a
//         field `by_...`, and except in the answer of a verb that the verb table calls `verbatim`
'use strict'

const { TABLE } = require('./native')

/** Identifier types of the preset, which JavaScript people write in camelCase. */
const IDENTIFIERS = {
  userId: 'user_id',
  anonymousId: 'anonymous_id',
  groupId: 'group_id',
  previousId: 'previous_id',
  profileId: 'profile_id',
}

/** Fields of results whose content is keyed or written by the user: names of traits, columns, audiences, rules. */
const userKeyed = new Set(TABLE.user_keyed_fields)

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

const isUserKeyed = name => userKeyed.has(name) || name.startsWith('by_')

function camelResult(value) {
  if (Array.isArray(value)) return value.map(camelResult)
  if (value === null || typeof value !== 'object') return value
  const found = {}
  for (const name of Object.keys(value)) put(found, camel(name), isUserKeyed(name) ? value[name] : camelResult(value[name]))
  return found
}

/** The answer of a verb, with the library's field names in camelCase. */
function resultOut(verb, value) {
  if (verb.answer === 'bytes') return Buffer.from(value, 'base64')
  return verb.answer === 'verbatim' ? value : camelResult(value)
}

module.exports = { camel, identifierIn, resultOut, snake, snakeOptions }
