// Our profiles by identifier through Node: the same reads as in the core, with the JSON text between.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { open } = require(process.env.CDP_NODE ?? path.join(__dirname, '..', '..', 'cdp-node'))

const WARM_UP = 20_000
const FIRST_PEOPLE = 1_000
const HOT_PEOPLE = 500
const HOT_ROUNDS = 10
const AS_OF_MS = 1_735_689_600_000 + 90 * 86_400_000 + 3_600_000

const text = { type: 'string' }
const { values: given } = parseArgs({ options: { store: text, sample: text, threads: text } })
const idName = { user_id: 'userId', anonymous_id: 'anonymousId' }
const sample = JSON.parse(fs.readFileSync(given.sample, 'utf8')).map(([kind, value]) => ({ [idName[kind]]: value }))
const db = open(given.store, { clock: AS_OF_MS })

function latencies (identifiers) {
  const wall = []
  const cpu = []
  for (const identifier of identifiers) {
    const before = process.cpuUsage()
    const begin = process.hrtime.bigint()
    db.profile(identifier)
    wall.push(Number(process.hrtime.bigint() - begin) / 1e3)
    const used = process.cpuUsage(before)
    cpu.push(used.user + used.system)
  }
  const percentile = (values, share) => values.sort((a, b) => a - b)[Math.round((values.length - 1) * share)]
  return {
    calls: wall.length,
    cpu_p50_us: percentile(cpu, 0.5),
    cpu_p99_us: percentile(cpu, 0.99),
    wall_p50_us: percentile(wall, 0.5),
    wall_p99_us: percentile(wall, 0.99)
  }
}

const cut = Math.min(WARM_UP, Math.floor(sample.length / 2))
const warmUp = sample.slice(0, cut)
const first = latencies(warmUp.slice(0, FIRST_PEOPLE))
for (const identifier of warmUp.slice(FIRST_PEOPLE)) db.profile(identifier)
const rest = sample.slice(cut)
const everybody = latencies(rest)
const hot = rest.slice(0, HOT_PEOPLE)
for (const identifier of hot) db.profile(identifier)
const again = latencies(Array.from({ length: HOT_ROUNDS }, () => hot).flat())
const check = [0, 0, 0]
for (const identifier of sample) {
  const found = db.profile(identifier)
  check[0] += found.audiences.length
  check[1] += found.features.views_30d
  check[2] += Object.keys(found.traits).length
}
db.close()
console.log(JSON.stringify({ first, everybody, again, check }))
