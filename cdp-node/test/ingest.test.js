// Data comes in from paths, bytes, objects and streams, on either thread, and can be stopped.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Readable } = require('node:stream')
const { test } = require('node:test')
const { pathToFileURL } = require('node:url')

const { open } = require('embedded-cdp')

const MESSAGES = [0, 1, 2].map(n => ({
  type: 'track', event: 'Product Added', userId: `u${n}`, messageId: `m${n}`, timestamp: '2024-05-01T00:00:00.000Z',
  properties: { sku: 's1', unit_price: n },
}))
const NDJSON = MESSAGES.map(message => JSON.stringify(message)).join('\n')

function* many() {
  for (let n = 0; n < 20_000; n++) yield { ...MESSAGES[0], messageId: `m${n}` }
}

async function checked(take) {
  const db = open()
  const receipt = await take(db)
  assert.deepEqual([receipt.rows, receipt.accepted, receipt.rejected], [3, 3, 0])
  const prices = db.table('events').rows.map(row => JSON.parse(row.properties).unit_price)
  assert.deepEqual(prices.sort(), [0, 1, 2])
  db.close()
}

test('messages come in every form', async () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'cdp-')), 'events.ndjson')
  fs.writeFileSync(file, NDJSON)
  for (const data of [file, pathToFileURL(file), Buffer.from(NDJSON), new TextEncoder().encode(NDJSON), MESSAGES, new Set(MESSAGES)]) {
    await checked(db => db.ingest(data))
    await checked(db => db.ingestAsync(data))
  }
  await checked(db => db.ingestAsync(fs.createReadStream(file)))
  await checked(db => db.ingestAsync(fs.createReadStream(file, 'utf8')))
  await checked(db => db.ingestAsync(Readable.from(MESSAGES)))
  fs.rmSync(path.dirname(file), { recursive: true })
})

test('what is no data is refused', async () => {
  const db = open()
  assert.throws(() => db.ingest(5), { code: 'invalid' })
  assert.throws(() => db.ingest(Readable.from([])), { code: 'invalid', hint: 'use ingestAsync' })
  assert.throws(() => db.ingest('none.ndjson'), { code: 'io' })
  await assert.rejects(db.ingestAsync('none.ndjson'), { code: 'io' })
  db.close()
})

test('a row that cannot be stored is not the fault of the others', () => {
  const db = open()
  const { rows, accepted } = db.ingest([MESSAGES[0], { ...MESSAGES[1], properties: { price: NaN } }, MESSAGES[2]])
  assert.deepEqual([rows, accepted], [3, 2])
  db.close()
})

test('progress is told and can stop the call', async () => {
  const db = open()
  const seen = []
  assert.equal((await db.ingestAsync(many(), { onProgress: rows => seen.push(rows) })).accepted, 20_000)
  assert.equal(seen.at(-1), 20_000)
  await assert.rejects(db.ingestAsync([], { signal: AbortSignal.abort() }), { name: 'AbortError' })
  db.close()
})

/** A file of so many messages, for as long as the work takes. */
async function withFile(rows, work) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cdp-'))
  const file = path.join(folder, 'events.ndjson')
  fs.writeFileSync(file, Array.from({ length: rows }, (_, n) => JSON.stringify({ ...MESSAGES[0], messageId: `m${n}` })).join('\n'))
  try {
    await work(file)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

const kept = db => db.table('events', { columns: ['message_id'] }).rows.length

test('an ingest that is aborted keeps whole batches, and nothing of an atomic one', async () => {
  const rows = 120_000
  await withFile(rows, async file => {
    for (const options of [{ atomic: true }, { batchRows: rows }, { batchRows: 1000 }]) {
      const db = open()
      const controller = new AbortController()
      const onProgress = done => {
        if (done > 0) controller.abort()
      }
      await assert.rejects(db.ingestAsync(file, { ...options, signal: controller.signal, onProgress }), { name: 'AbortError' })
      if (options.batchRows === 1000) assert.ok(kept(db) < rows && kept(db) % 1000 === 0)
      else assert.equal(kept(db), 0)
      db.close()
    }
  })
})

test('an atomic ingest whose progress says no keeps nothing', async () => {
  await withFile(120_000, async file => {
    const db = open()
    await assert.rejects(db.ingestAsync(file, { atomic: true, onProgress: done => done === 0 }), { code: 'interrupted' })
    assert.equal(kept(db), 0)
    db.close()
  })
})

test('many calls at once keep every message', async () => {
  const db = open()
  const receipts = await Promise.all(Array.from(many()).slice(0, 200).map(message => db.trackAsync(message)))
  assert.equal(receipts.filter(({ accepted }) => accepted === 1).length, 200)
  db.close()
})
