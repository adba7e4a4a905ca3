// The UCI Online Retail file through the package: the figures and the fingerprint that Rust and Python give, too.
'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { open } = require('..')

const root = path.join(__dirname, '../..')
const shared = process.env.SHARED ?? path.join(root, '../shared')
const file = path.join(shared, 'data/retail/online_retail.csv.gz')
const expected = JSON.parse(fs.readFileSync(path.join(root, 'examples/online_retail/expected.json'), 'utf8'))
const skip = fs.existsSync(file) ? false : 'the shared data online_retail.csv.gz is not there; set SHARED to its folder'

test('the retail file gives its known figures and fingerprint', { skip }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cdp-retail-'))
  const db = open(path.join(folder, 'shop.db'), { clock: '2012-01-01T00:00:00Z' })
  db.define(path.join(root, 'examples/online_retail/definitions'))

  const receipt = await db.ingestAsync(file, { source: 'shop_csv' })

  assert.deepStrictEqual([receipt.rows, receipt.accepted, receipt.rejected], [expected.rows, expected.accepted, expected.rejected])
  const { rows } = db.featureTable(['gross_revenue', 'orders'])
  assert.strictEqual(rows.length, expected.profiles)
  assert.strictEqual(rows.reduce((sum, row) => sum + row['features.orders'], 0), expected.orders)
  // Thousandths are integers that a double adds exactly.
  const thousandths = rows.reduce((sum, row) => sum + Math.round(row['features.gross_revenue'] * 1000), 0)
  assert.strictEqual(thousandths, Math.round(Number(expected.gross_revenue) * 1000))
  const customer = db.profile({ userId: '14646' })
  assert.strictEqual(String(customer.features.gross_revenue), expected.customer_14646_gross_revenue)
  for (const [asOf, members] of Object.entries(expected.high_value_30d)) {
    assert.strictEqual(db.members('high_value_30d', { asOf }).rows.length, members)
  }
  assert.strictEqual(db.fingerprint(), expected.fingerprint)
  db.close()
  fs.rmSync(folder, { recursive: true })
})
