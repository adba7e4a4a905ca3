// From events in a file to a decision and an export; the same in Rust and Python, with the same output.
'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

// An application says require('embedded-cdp'); this file runs inside the repository.
const { open } = require('../../cdp-node')

const here = path.join(__dirname, '..', 'quickstart')
// A clock that stands still makes the output repeatable; leave both options out in your own application.
const db = open({ clock: '2024-06-01T12:00:00Z', idSeed: 'quickstart' })
db.define(path.join(here, 'definitions'))

const receipt = db.ingest(path.join(here, 'events.ndjson'))
console.log(`accepted ${receipt.accepted}, duplicates ${receipt.duplicates}, rejected ${receipt.rejected}`)
for (const reject of receipt.firstRejects) console.log(`row ${reject.row} was kept as a reject: ${reject.reason}`)

const ada = db.profile({ userId: 'ada' })
console.log(`ada is also ${ada.ids.email.join(', ')} and ${ada.ids.anonymous_id.join(', ')}`)
console.log(`ada spent ${ada.features.spend} and is in ${ada.audiences.join(', ')}`)

const members = db.members('good_customers', { columns: ['user_id', 'features.spend'], orderBy: '-features.spend' })
for (const row of members.rows) console.log(`member ${row.user_id} spent ${row['features.spend']}`)

const event = { event: 'Checkout Started', properties: { amount: 80 } }
for (const who of ['ada', 'bob', 'somebody new']) {
  const decision = db.decide('checkout', { userId: who }, event)
  console.log(`${who} is offered ${decision.choice.offer}: ${decision.reasons[0]}`)
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quickstart-'))
const file = path.join(folder, 'good_customers.csv')
const sent = db.export({
  audience: 'good_customers', path: file, purpose: 'marketing', channel: 'email', columns: ['email', 'features.spend']
})
console.log(
  `exported ${sent.rows}, withheld ${sent.withheld.consentUnknown} who never chose and ${sent.withheld.consentDenied} who said no`
)
process.stdout.write(fs.readFileSync(file, 'utf8'))
fs.rmSync(folder, { recursive: true })
console.log(`verified: ${db.verify().ok}`)
db.close()
