// Messages that nobody waits for one by one: they share commits, and each has its own answer.
'use strict'

const test = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { open } = require('..')

const message = n => ({ event: 'Product Viewed', userId: `u${n % 50}`, messageId: `m${String(n).padStart(4, '0')}` })

function inFolder(work) {
  return async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cdp-'))
    try {
      await work(path.join(folder, 'shop.db'))
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  }
}

test('1,000 calls at once are taken in in their order, and a bad one is only its own fault', inFolder(async file => {
  const db = open(file)
  const calls = Array.from({ length: 1000 }, (_, n) => db.trackAsync(n === 500 ? { event: 'Product Viewed' } : message(n)))
  const outcomes = await Promise.allSettled(calls)
  assert.deepEqual(outcomes.flatMap(({ status }, n) => (status === 'rejected' ? [n] : [])), [500])
  assert.equal(outcomes[500].reason.code, 'invalid')
  assert.equal(outcomes[499].value.messageId, 'm0499')
  assert.equal(outcomes[499].value.profileId, db.profile({ userId: 'u49' }).id)
  const ids = db.table('events').rows.map(row => row.message_id)
  assert.deepEqual(ids, Array.from({ length: 1000 }, (_, n) => message(n).messageId).filter(id => id !== 'm0500'))
  db.close()
}))

test('every verb that sends a message is queued, and all keep their order', async () => {
  const db = open()
  const receipts = await Promise.all([
    db.identifyAsync({ userId: 'u1', traits: { plan: 'free' } }),
    db.trackAsync({ userId: 'u1', event: 'Product Viewed' }),
    db.pageAsync({ userId: 'u1', name: 'Home' }),
    db.screenAsync({ userId: 'u1', name: 'Home' }),
    db.groupAsync({ userId: 'u1', groupId: 'g1' }),
    db.aliasAsync({ userId: 'u2', previousId: 'u1' }),
    db.consentAsync({ userId: 'u1' }, { purpose: 'marketing', status: 'granted' }),
  ])
  assert.deepEqual(receipts.map(receipt => receipt.accepted), [1, 1, 1, 1, 1, 1, 1])
  assert.equal(db.consents({ userId: 'u1' }).marketing.status, 'granted')
  await assert.rejects(db.consentAsync({ userId: 'u1' }, { purpose: 'marketing', status: 'perhaps' }), { code: 'invalid' })
  await assert.rejects(db.consentAsync({ userId: 'u1' }, { porpose: 'marketing' }), { code: 'invalid' })
  db.close()
})

test('close takes in what was queued before', inFolder(async file => {
  const db = open(file)
  const calls = Array.from({ length: 300 }, (_, n) => db.trackAsync(message(n)))
  db.close()
  await assert.rejects(db.trackAsync(message(300)), { code: 'closed' })
  assert.ok((await Promise.all(calls)).every(receipt => receipt.accepted === 1))
  const again = open(file)
  assert.equal(again.stats().messages, 300)
  again.close()
}))

test('an aborted message rejects with the reason of its signal, or was taken in', async () => {
  const db = open()
  await assert.rejects(db.trackAsync(message(1), { signal: AbortSignal.abort() }), { name: 'AbortError' })
  assert.equal(db.stats().messages, 0)
  const controller = new AbortController()
  const calls = Array.from({ length: 500 }, (_, n) => db.trackAsync(message(n), { signal: controller.signal }))
  controller.abort()
  const outcomes = await Promise.allSettled(calls)
  for (const { status, reason } of outcomes) if (status === 'rejected') assert.equal(reason.name, 'AbortError')
  assert.equal(db.stats().messages, outcomes.filter(({ status }) => status === 'fulfilled').length)
  db.close()
})

test('stats tells how long the write-ahead log is', inFolder(async file => {
  const db = open(file)
  db.track(message(1))
  assert.ok(db.stats().walBytes > 0)
  db.close()
}))
