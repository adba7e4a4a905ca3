// The shared vectors in `tests/vectors` through both doors of the package: the verb table, and the methods people call.
// `tests/tests/vectors.rs` says what a vector is; this runs the same files and must find the same fingerprints.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { isDeepStrictEqual } = require('node:util')

const { open, CdpError, VERBS } = require('embedded-cdp')
const names = require('../lib/names')

const FOLDER = path.join(__dirname, '..', '..', 'tests', 'vectors')

for (const name of fs.readdirSync(FOLDER).filter(name => name.endsWith('.json')).sort()) {
  const file = JSON.parse(fs.readFileSync(path.join(FOLDER, name), 'utf8'))
  if (file.vectors_format !== 1) continue
  for (const vector of file.vectors) {
    for (const door of ['table', 'methods']) {
      test(`${name} ${vector.name}, by ${door}`, { todo: vector.pending }, context => {
        const { failures, fingerprint } = run(file.given ?? {}, vector, door)
        if (vector.pending !== undefined) {
          assert.notDeepEqual(failures, [], 'the vector passes; remove its `pending`')
          context.diagnostic(`pending: ${vector.pending}`)
          return
        }
        for (const order of vector.permutations ? orders(permuted(vector).with.data.length).slice(1) : []) {
          const found = run(file.given ?? {}, vector, door, order)
          failures.push(...found.failures.map(failure => `in the order ${order}: ${failure}`))
          if (found.fingerprint !== fingerprint) failures.push(`in the order ${order}: the fingerprint differs`)
        }
        assert.deepEqual(failures, [])
        assert.equal(fingerprint, vector.fingerprint)
      })
    }
  }
}

function permuted(vector) {
  return vector.steps.find(step => step.call === 'ingest')
}

// Up to three messages in every order; more as they are, reversed and in three shuffles.
function orders(n) {
  const asTheyAre = Array.from({ length: n }, (_, index) => index)
  if (n <= 1) return [asTheyAre]
  if (n === 2) return [[0, 1], [1, 0]]
  if (n === 3) return [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
  const found = [asTheyAre, asTheyAre.toReversed()]
  let random = 1
  for (let shuffle = 0; shuffle < 3; shuffle++) {
    const order = [...asTheyAre]
    for (let last = n - 1; last > 0; last--) {
      random = (random * 75) % 65537
      const other = random % (last + 1)
      ;[order[last], order[other]] = [order[other], order[last]]
    }
    found.push(order)
  }
  return found
}

// Runs a vector once. Gives what was wrong, and the fingerprint at the end.
function run(given, vector, door, order) {
  const failures = []
  const setting = { ...given, ...vector }
  const db = open({ clock: setting.clock, idSeed: setting.id_seed })
  const definitions = [...(given.definitions ?? []), ...(vector.definitions ?? [])]
  if (definitions.length > 0) db.define(definitions)
  for (const [index, step] of [...(given.steps ?? []), ...vector.steps].entries()) {
    const place = `step ${index + 1} ${step.call}`
    const ofStep = order !== undefined && step === permuted(vector) ? order : undefined
    try {
      const actual = call(db, step, door, ofStep)
      if (step.error !== undefined) failures.push(`${place}: no error`)
      else if (step.expect !== undefined && ofStep === undefined) {
        const inMethods = door === 'methods' || step.input !== undefined
        differences(inMethods ? names.resultOut(rowOf(step.call), step.expect) : step.expect, actual, place, failures)
      }
    } catch (error) {
      if (!(error instanceof CdpError)) throw error
      const { code: kind, message, hint, pointer, faults } = error
      if (step.error === undefined) failures.push(`${place}: ${message}`)
      else differences(step.error, { kind, message, hint, pointer, faults }, place, failures)
    }
  }
  const verified = db.verify()
  if (!verified.ok) failures.push(`verify: ${JSON.stringify(verified)}`)
  const fingerprint = db.fingerprint()
  db.close()
  return { failures, fingerprint }
}

const rowOf = name => VERBS.find(verb => verb.name === name)

function call(db, step, door, order) {
  const request = { ...step.with }
  if (step.input !== undefined) return db.ingest(Buffer.from(step.input), request)
  if (request.data?.$repeat !== undefined) {
    const { n, template } = request.data.$repeat
    request.data = Array.from({ length: n }, (_, i) => numbered(template, i))
  }
  if (order !== undefined) request.data = order.map(index => request.data[index])
  if (door === 'table') return db.call(step.call, request)
  const method = db[names.camel(step.call)]
  if (method === undefined) throw new CdpError({ kind: 'not_found', message: `there is no method ${step.call}` })
  const verb = rowOf(step.call)
  if (verb.takes_message) return method.call(db, request)
  const positional = verb.parameters.filter(parameter => parameter.positional).map(parameter => parameter.name)
  const options = Object.fromEntries(Object.entries(request).filter(([name]) => !positional.includes(name)))
  return method.call(db, ...positional.map(name => request[name]), options)
}

function numbered(template, i) {
  if (typeof template === 'string') return template.replaceAll('{i}', String(i))
  if (Array.isArray(template)) return template.map(item => numbered(item, i))
  if (template === null || typeof template !== 'object') return template
  return Object.fromEntries(Object.entries(template).map(([name, field]) => [name, numbered(field, i)]))
}

const isObject = value => value !== null && typeof value === 'object' && !Array.isArray(value)

function differences(expected, actual, place, found) {
  const differ = () => found.push(`${place}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(actual)}`)
  const has = name => isObject(expected) && name in expected
  if (has('$exact')) {
    if (!isDeepStrictEqual(expected.$exact, actual)) differ()
  } else if (has('$count') && Array.isArray(actual)) {
    if (expected.$count !== actual.length) differ()
  } else if (has('$set') && Array.isArray(actual)) {
    const rest = [...actual]
    for (const wanted of expected.$set) {
      const index = rest.findIndex(item => {
        const here = []
        differences(wanted, item, '', here)
        return here.length === 0
      })
      if (index < 0) return differ()
      rest.splice(index, 1)
    }
    if (rest.length > 0) differ()
  } else if (isObject(expected) && isObject(actual)) {
    for (const [name, field] of Object.entries(expected)) {
      if (name in actual) differences(field, actual[name], `${place}.${name}`, found)
      else found.push(`${place}.${name}: expected ${JSON.stringify(field)}, found nothing`)
    }
  } else if (Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length) {
    expected.forEach((item, index) => differences(item, actual[index], `${place}[${index}]`, found))
  } else if (!isDeepStrictEqual(expected, actual)) differ()
  return undefined
}
