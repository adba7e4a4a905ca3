// The main path through the real core, as a Node person walks it: collect, unify, aggregate, segment, decide, export.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')

const { open } = require('embedded-cdp')

const DEFINITIONS = [
  { kind: 'feature', name: 'total_spend', event: 'Order Completed', agg: 'sum', property: 'revenue', default: 0 },
  { kind: 'audience', name: 'high_value', rule: { feature: 'total_spend', op: 'gte', value: 100 } },
  {
    kind: 'policy', name: 'checkout', purpose: 'service',
    choose: [{ when: { all: [{ audience: 'high_value' }, { current: 'properties.amount', op: 'gte', value: 100 }] }, then: { experience_name: 'premium' } }],
    otherwise: { experience_name: 'control' },
  },
]

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cdp-'))
let db

before(() => {
  db = open({ clock: '2024-06-01T00:00:00Z', idSeed: 'tests' })
  db.define(DEFINITIONS)
  db.identify({ userId: 'u1', traits: { email: 'Ann@Example.com', home_country: 'France' }, timestamp: new Date('2024-05-01T00:00:00Z') })
  db.track({ userId: 'u1', event: 'Order Completed', properties: { revenue: 120 }, timestamp: '2024-05-02T00:00:00Z', messageId: 'o1' })
  for (let n = 2; n <= 5; n++) {
    db.track({ userId: `u${n}`, event: 'Order Completed', properties: { revenue: 100 + n }, timestamp: '2024-05-02T00:00:00Z', messageId: `o${n}` })
  }
})
after(() => {
  db.close()
  fs.rmSync(folder, { recursive: true })
})

test('identifiers lead to one person', async () => {
  const person = db.profile({ email: 'ann@example.com' })
  assert.deepEqual(await db.profileAsync({ userId: 'u1' }), person)
  assert.deepEqual(db.profile({ profileId: person.id }), person)
  assert.equal(person.traits.home_country, 'France')
  assert.deepEqual(person.features, { total_spend: 120 })
  assert.equal(person.firstSeen, '2024-05-01T00:00:00.000Z')
  assert.deepEqual(db.profile({ userId: 'u1' }, { asOf: new Date('2024-05-01T12:00:00Z') }).features, { total_spend: 0 })
})

test('members come whole, in pages, or one by one', async () => {
  const columns = ['user_id', 'features.total_spend']
  const options = { columns, orderBy: '-features.total_spend' }
  const whole = db.members('high_value', options)
  assert.equal(whole.next, null)
  assert.deepEqual(whole.rows[0], { user_id: 'u1', 'features.total_spend': 120 })

  const rows = []
  for await (const row of db.iterateMembers('high_value', { ...options, limit: 2 })) rows.push(row)
  assert.deepEqual(rows, whole.rows)
})

test('a decision sees the event and stores nothing', () => {
  const before = db.fingerprint()
  const decide = amount => db.decide('checkout', { userId: 'u1' }, { event: 'Order Completed', properties: { amount } })
  assert.deepEqual(decide(120).choice, { experience_name: 'premium' })
  assert.deepEqual(decide(1).choice, { experience_name: 'control' })
  assert.deepEqual(db.fingerprint(), before)
})

test('an export withholds those without consent', async () => {
  const file = path.join(folder, 'vip.csv')
  const request = { audience: 'high_value', path: file, purpose: 'marketing', channel: 'email' }
  const { rows, withheld } = db.export(request)
  assert.equal(rows, 0)
  assert.equal(withheld.consentUnknown + withheld.noIdentifier, 5)
  db.consent({ userId: 'u1' }, { purpose: 'marketing', channel: 'email', status: 'granted' })
  assert.equal((await db.exportAsync(request)).rows, 1)
})

test('a receipt names its message, and a repeated one counts once', async () => {
  const message = { userId: 'u9', event: 'Product Added', messageId: 'once' }
  assert.deepEqual((({ accepted, messageId }) => [accepted, messageId])(db.track(message)), [1, 'once'])
  assert.equal((await db.trackAsync(message)).duplicates, 1)
  assert.throws(() => db.track({ event: 'Product Added' }), { code: 'invalid' })
})

test('a rejected row is kept with its reason', () => {
  const { rejected, firstRejects } = db.ingest([{ type: 'track', event: 'E' }])
  assert.equal(rejected, 1)
  assert.equal(firstRejects[0].reason, 'no_identifier')
  assert.equal(db.rejects().rows[0].reason, 'no_identifier')
})

test('a file is shared within a process', () => {
  const file = path.join(folder, 'shop.db')
  const first = open(file)
  const second = open(file)
  first.identify({ userId: 'u1', traits: { country: 'France' } })
  assert.equal(second.profile({ userId: 'u1' }).traits.country, 'France')
  first.close()
  second.close()
})
