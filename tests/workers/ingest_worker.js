// The same as ../src/bin/ingest_worker.rs, through the Node package.
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '../..')
const { open } = require(path.join(root, 'cdp-node'))

// Synchronously: a line that was said must be out before the process can be killed.
const say = (key, value) => fs.writeSync(1, JSON.stringify({ [key]: value }) + '\n')
const sayVerified = db => {
  if (process.env.CDP_VERIFY !== '0') say('ok', db.verify().ok)
}
const read = name => JSON.parse(fs.readFileSync(path.join(root, 'examples/online_retail/definitions', name), 'utf8'))

const [store, input, batchRows] = process.argv.slice(2)
const db = open(store, { clock: '2012-01-01T00:00:00Z' })
sayVerified(db)
db.define([...read('measures.json'), read('shop_csv.json')])
say('begin', db.stats().messages)
db.ingest(input, { source: 'shop_csv', batchRows: Number(batchRows), checkpoint: 'end' })
say('end', db.stats().messages)
say('rejects', db.stats().rejects)
sayVerified(db)
say('fingerprint', db.fingerprint())
db.close()
