// The files of an open store stay what they are, whatever path a verb is given.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { afterEach, beforeEach, test } = require('node:test')
const { pathToFileURL } = require('node:url')

const { open } = require('embedded-cdp')

let folder
let db

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cdp-files-'))
  db = open(path.join(folder, 'shop.db'))
  db.define({ kind: 'audience', name: 'viewers', rule: { event: 'Viewed', count: { gte: 1 } } })
  db.track({ userId: 'u1', event: 'Viewed', messageId: 'm1' })
  db.consent({ userId: 'u1' }, { purpose: 'marketing', status: 'granted' })
})
afterEach(() => {
  db.close()
  fs.rmSync(folder, { recursive: true })
})

test('an export never replaces a file of the store', async () => {
  for (const name of ['shop.db', 'shop.db-wal', 'shop.db-shm', 'shop.db-journal']) {
    const request = { audience: 'viewers', path: path.join(folder, name), format: 'csv', purpose: 'marketing' }
    assert.throws(() => db.export(request), { code: 'invalid' })
    await assert.rejects(db.exportAsync(request), { code: 'invalid' })
  }
  db.track({ userId: 'u2', event: 'Viewed', messageId: 'm2' })
  db.close()
  db = open(path.join(folder, 'shop.db'))
  assert.equal(db.stats().messages, 3)
  assert.equal(db.verify().ok, true)
})

test('an open store is no input', () => {
  const link = path.join(folder, 'definitions.json')
  fs.symlinkSync(path.join(folder, 'shop.db'), link)
  for (const file of [path.join(folder, 'shop.db'), link]) {
    assert.throws(() => db.ingest(file), { code: 'invalid', message: /open in this process/ })
    assert.throws(() => db.define(file), { code: 'invalid', message: /open in this process/ })
    assert.throws(() => db.define(pathToFileURL(file)), { code: 'invalid', message: /open in this process/ })
  }
})

test('nothing is acknowledged once the file is gone', () => {
  fs.rmSync(path.join(folder, 'shop.db'))
  assert.throws(() => db.track({ userId: 'u2', event: 'Viewed', messageId: 'm2' }), { code: 'io' })
  // What was acknowledged before can still be saved.
  db.backup(path.join(folder, 'saved.db'))
  const saved = open(path.join(folder, 'saved.db'))
  assert.equal(saved.stats().messages, 2)
  saved.close()
})
