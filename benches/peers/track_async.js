// Keeps 1,000 trackAsync calls in flight and says how late Node's event loop ran meanwhile.
'use strict'

const path = require('node:path')
const { monitorEventLoopDelay } = require('node:perf_hooks')
const { parseArgs } = require('node:util')
const { open } = require(process.env.CDP_NODE ?? path.join(__dirname, '..', '..', 'cdp-node'))

const CONCURRENT = 1_000
const AS_OF_MS = 1_735_689_600_000 + 90 * 86_400_000 + 3_600_000
// An idle loop shows this much: the timer behind the histogram rings once a millisecond.
const RESOLUTION_MS = 1

const text = { type: 'string' }
const { values: given } = parseArgs({ options: { store: text, rounds: text } })

async function main () {
  const db = open(given.store, { clock: AS_OF_MS, busyTimeoutMs: 60_000 })
  const message = number => ({
    userId: `node-${number % 5_000}`, event: 'Product Viewed', properties: { price: number % 90 }
  })
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  let calls = 0
  let failed = 0
  await db.trackAsync(message(0))
  delay.enable()
  const begin = process.hrtime.bigint()
  for (let round = 0; round < Number(given.rounds); round++) {
    const outcomes = await Promise.allSettled(Array.from({ length: CONCURRENT }, () => db.trackAsync(message(++calls))))
    failed += outcomes.filter(outcome => outcome.status === 'rejected').length
  }
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9
  delay.disable()
  db.close()
  console.log(JSON.stringify({
    calls,
    failed,
    calls_per_second: calls / seconds,
    delay_p50_ms: delay.percentile(50) / 1e6,
    delay_p99_ms: delay.percentile(99) / 1e6,
    delay_max_ms: delay.max / 1e6
  }))
}

main()
