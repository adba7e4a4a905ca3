// The public face: every verb of the core in both forms, its errors, its names, and the life of a store.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')

const { Cdp, CdpError, VERBS, open } = require('embedded-cdp')
const names = require('../lib/names')
const { camel, snake, snakeOptions } = names

const declared = fs.readFileSync(path.join(__dirname, '..', 'lib', 'index.d.ts'), 'utf8')
const resultOut = (name, value) => names.resultOut(VERBS.find(verb => verb.name === name), value)
const store = () => open({ clock: '2024-06-01T00:00:00Z', idSeed: 'tests' })
const methods = () => Object.getOwnPropertyNames(Cdp.prototype).filter(name => !name.startsWith('_'))

test('every verb is a method in both forms, and every method a verb', () => {
  const verbs = [...new Set([...VERBS.map(verb => camel(verb.name)), 'close', 'ingest'])]
  const iterated = VERBS.filter(verb => ['after', 'limit'].every(name => verb.parameters.some(parameter => parameter.name === name)))
  const expected = [
    ...verbs.flatMap(name => [name, `${name}Async`]),
    ...iterated.map(verb => camel(`iterate_${verb.name}`)),
    // These act on the handle.
    'constructor', 'closed', 'call', 'registerScorer',
  ]
  assert.deepEqual(methods().sort(), expected.sort())
})

test('every method is declared for TypeScript, and nothing else is', () => {
  const body = declared.slice(declared.indexOf('export class Cdp {')).split('\n}\n')[0]
  const names = new Set([...body.matchAll(/^ {2}(?:readonly )?(\w+)[<(:]/gm)].map(match => match[1]))
  names.delete('private')
  assert.deepEqual([...names].sort(), methods().filter(name => name !== 'constructor').sort())
})

test('the version is the workspace\'s', () => {
  const workspace = fs.readFileSync(path.join(__dirname, '..', '..', 'Cargo.toml'), 'utf8')
  assert.equal(require('embedded-cdp/package.json').version, /^version = "(.+)"$/m.exec(workspace)[1])
})

test('named import from an ES module works', async () => {
  const module = await import('embedded-cdp')
  assert.equal(module.open, open)
  assert.equal(module.CdpError, CdpError)
})

test('names change their case there and back', () => {
  for (const { name, parameters } of VERBS) {
    for (const word of [name, ...parameters.map(parameter => parameter.name)]) assert.equal(snake(camel(word)), word)
  }
  assert.deepEqual(snakeOptions({ asOf: 1, orderBy: '-features.total_spend' }), { as_of: 1, order_by: '-features.total_spend' })
})

test('fields of results are camelCase and what is yours stays as it is', () => {
  const profile = {
    first_seen: 'x', merged_from: [], ids: { user_id: ['u'] }, traits: { first_name: 'A', nested: { a_b: 1 } },
    features: { total_spend: 1 }, audiences: ['high_value_30d'], consents: { my_purpose: 'granted' },
  }
  assert.deepEqual(resultOut('profile', profile), {
    firstSeen: 'x', mergedFrom: [], ids: { user_id: ['u'] }, traits: { first_name: 'A', nested: { a_b: 1 } },
    features: { total_spend: 1 }, audiences: ['high_value_30d'], consents: { my_purpose: 'granted' },
  })
  assert.deepEqual(resultOut('members', { rows: [{ profile_id: 'p', 'features.total_spend': 1 }], next: null, n_known: 1 }), {
    rows: [{ profile_id: 'p', 'features.total_spend': 1 }], next: null, nKnown: 1,
  })
  assert.deepEqual(resultOut('export', { rows: 1, withheld: { consent_unknown: 2 } }), { rows: 1, withheld: { consentUnknown: 2 } })
  assert.deepEqual(resultOut('definitions', [{ max_features: 1 }]), [{ max_features: 1 }])
  assert.deepEqual(resultOut('identity_report', { by_type: { user_id: 1 }, n_links: 2 }), { byType: { user_id: 1 }, nLinks: 2 })
})

test('a person is found by any casing of a preset identifier, and traits keep their names', () => {
  const db = store()
  const receipt = db.identify({ userId: 'u1', traits: { first_name: 'Ann', lastName: 'Lee' }, messageId: 'm1' })
  assert.equal(receipt.accepted, 1)
  assert.equal(receipt.newProfiles !== undefined && receipt.profileId !== null, true)
  for (const identifier of [{ userId: 'u1' }, { user_id: 'u1' }]) {
    const { traits, firstSeen, mergedFrom } = db.profile(identifier)
    assert.deepEqual(traits, { first_name: 'Ann', lastName: 'Lee' })
    assert.equal(typeof firstSeen, 'string')
    assert.deepEqual(mergedFrom, [])
  }
  assert.equal(db.profile({ userId: 'nobody' }), null)
  db.close()
})

test('an error has its code, hint and pointer', async () => {
  const db = store()
  db.define({ kind: 'audience', name: 'french', rule: { trait: 'country', op: 'eq', value: 'France' } })
  const missing = error => error instanceof CdpError && error.code === 'not_found' && error.hint !== null
  assert.throws(() => db.members('no_such'), missing)
  await assert.rejects(db.membersAsync('no_such'), missing)
  assert.throws(() => db.define([{ name: 'no kind' }, { name: 'nor here' }]), error => {
    assert.equal(error.code, 'invalid')
    assert.equal(error.faults.length, 2)
    assert.equal(error.pointer, error.faults[0].pointer)
    return true
  })
  assert.throws(() => db.members('a', 'b', 'c'), { code: 'invalid' })
  assert.throws(() => db.members('a', { orderby: 'x' }), { code: 'invalid' })
  db.close()
})

test('a closed store says so and closing twice is fine', async () => {
  const db = store()
  db.close()
  db.close()
  await db.closeAsync()
  assert.equal(db.closed, true)
  assert.throws(() => db.track({ event: 'Product Added', userId: 'u' }), { code: 'closed' })
  await assert.rejects(db.trackAsync({ event: 'Product Added', userId: 'u' }), { code: 'closed' })
})

test('a store is disposable', { skip: Symbol.dispose ? false : 'this Node has no Symbol.dispose' }, () => {
  const db = store()
  db[Symbol.dispose]()
  assert.equal(db.closed, true)
})

test('unknown options of open are named', () => {
  assert.throws(() => open({ readonly: true }), { code: 'invalid' })
  assert.throws(() => open({ key: 'secret' }), error => error.code === 'invalid' && !error.message.includes('secret'))
})

test('definitions come from objects, a file or a folder', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cdp-'))
  const feature = { kind: 'feature', name: 'orders', event: 'Order Completed', agg: 'count' }
  fs.mkdirSync(path.join(folder, 'inner'))
  fs.writeFileSync(path.join(folder, 'inner', 'b.json'), JSON.stringify([{ ...feature, name: 'orders_b' }]))
  fs.writeFileSync(path.join(folder, 'a.json'), JSON.stringify(feature))
  const db = store()
  const namesOf = defined => defined.map(({ name }) => name).sort()
  assert.deepEqual(namesOf(db.define(folder)), ['orders', 'orders_b'])
  assert.deepEqual(namesOf(db.define(path.join(folder, 'a.json'), { dryRun: true })), ['orders'])
  assert.deepEqual(namesOf(db.define(feature)), ['orders'])
  assert.throws(() => db.define(path.join(folder, 'none')), { code: 'not_found' })
  fs.writeFileSync(path.join(folder, 'bad.json'), '{')
  assert.throws(() => db.define(folder), error => error.code === 'invalid' && error.message.includes('bad.json'))
  db.close()
  fs.rmSync(folder, { recursive: true })
})

test('an aborted call rejects with the reason of its signal', async () => {
  const db = store()
  await assert.rejects(db.verifyAsync({ signal: AbortSignal.abort() }), { name: 'AbortError' })
  db.close()
})
