// The public face for Node: `open` and one method per verb of the core's table, sync and `...Async`.
// Methods are made from that table, so a new verb of the core needs no code here. Every rule lives in the core; this
// file must never judge a value itself.
'use strict'

const { encode } = require('./encode')
const { CdpError } = require('./error')
const names = require('./names')
const { native, TABLE } = require('./native')

const VERBS = TABLE.verbs
const INGEST = VERBS.find(verb => verb.name === 'ingest')
// The arguments that each verb takes by position, in their order.
const POSITIONAL = new Map(VERBS.map(verb => [verb, verb.parameters.filter(parameter => parameter.positional).map(parameter => parameter.name)]))
// A sync write blocks the event loop, so it gives up on another process's lock after this long.
const BUSY_TIMEOUT_MS = 1000
const PAGE_ROWS = 1000
const MS_BETWEEN_UPDATES = 100
const ANSWERS_AT_ONCE = 50
const FOR_EVER_MS = 2 ** 31 - 1

/** Opens a store; without a path, a store in memory. */
function open(file, options = {}) {
  if (file !== null && typeof file === 'object' && !(file instanceof URL)) return open(undefined, file)
  const request = { busy_timeout_ms: BUSY_TIMEOUT_MS, ...names.snakeOptions(options) }
  if (file !== undefined && file !== null) request.path = file instanceof URL ? require('node:url').fileURLToPath(file) : file
  const text = encode(request)
  try {
    return new Cdp(native.open(text))
  } catch (error) {
    return answer(error.message)
  }
}

class Cdp {
  #handle
  #outbox
  #waiting = new Map()
  #scored = new Set()
  #number = 0
  #timer

  constructor(handle) {
    this.#handle = handle
  }

  /** Whether the store was closed. */
  get closed() {
    return native.isClosed(this.#handle)
  }

  /** Closes the store; closing twice is fine. */
  close() {
    answer(native.close(this.#handle))
  }

  /** The same off the event loop, which then does not wait for what is queued and written out. */
  async closeAsync() {
    answer(await native.callAsync(this.#handle, 'close', '', native.watch()))
  }

  ingest(data, options = {}) {
    const { kind, value } = input(data)
    const { request } = split(options)
    return names.resultOut(INGEST, answer(native[`ingest${kind}`](this.#handle, value, encode(request), native.watch())))
  }

  async ingestAsync(data, options = {}) {
    const { kind, value } = input(await gathered(data))
    const { request, signal, onProgress } = split(options)
    const text = encode(request)
    const call = async watch => JSON.parse(await native[`ingest${kind}Async`](this.#handle, value, text, watch))
    return this.#watched(INGEST, signal, onProgress, call)
  }

  /** Lets a function speak for the described cohorts of a predictor in this process; null takes it away. */
  registerScorer(predictor, scorer, { method = 'scorer', attempts = 5, pauseMs = 200 } = {}) {
    answer(native.registerScorer(this.#handle, predictor, scorer ? asking(scorer) : null, method, attempts, pauseMs))
    if (scorer) this.#scored.add(predictor)
    else this.#scored.delete(predictor)
  }

  /** Runs a verb by its name in the table, for tools; `request` has the parameters in snake_case. */
  call(verb, request = {}) {
    return answer(native.call(this.#handle, verb, encode(request)))
  }

  _sync(verb, args) {
    const { request } = requestOf(verb, args)
    if (verb.asks_scorer && this.#scored.has(request.predictor)) {
      const message = `the scorer of ${request.predictor} cannot answer while its own thread waits`
      throw new CdpError({ kind: 'invalid', message, hint: `use ${verb.name}Async` })
    }
    return names.resultOut(verb, answer(native.call(this.#handle, verb.name, encode(request))))
  }

  async _async(verb, args) {
    const { request, signal, onProgress } = requestOf(verb, args)
    const text = encode(request)
    if (!verb.sends_message) {
      const call = async watch => JSON.parse(await native.callAsync(this.#handle, verb.name, text, watch))
      return this.#watched(verb, signal, onProgress, call)
    }
    const send = watch => this.#queued(verb.name, text, watch)
    if (signal || onProgress) return this.#watched(verb, signal, onProgress, send)
    return names.resultOut(verb, outcome(await send()))
  }

  // Puts a message into the queue of the store.
  #queued(verb, text, watch) {
    this.#outbox ??= native.outbox(ringFor(new WeakRef(this)))
    // A timer that never rings, because a process with nothing to wait for ends; it holds this store as well.
    if (this.#waiting.size === 0) this.#timer = setInterval(() => this, FOR_EVER_MS)
    this.#number = (this.#number + 1) >>> 0
    return new Promise(resolve => {
      this.#waiting.set(this.#number, resolve)
      native.sendQueued(this.#handle, this.#outbox, this.#number, verb, text, watch)
    })
  }

  /** Hands answers to those who wait, some at a time so that the event loop turns meanwhile. */
  _answer() {
    const answers = JSON.parse(native.takeAnswers(this.#outbox, ANSWERS_AT_ONCE))
    for (const [number, found] of answers) {
      this.#waiting.get(number)(found)
      this.#waiting.delete(number)
    }
    if (this.#waiting.size === 0) clearInterval(this.#timer)
    if (answers.length === ANSWERS_AT_ONCE) setImmediate(() => this._answer())
  }

  async #watched(verb, signal, onProgress, start) {
    signal?.throwIfAborted()
    const watch = native.watch()
    const stop = () => native.stop(this.#handle, watch)
    let failure
    const tell = () => {
      try {
        if (onProgress(native.rowsDone(watch)) === false) stop()
      } catch (error) {
        failure ??= error
        stop()
      }
    }
    const timer = onProgress && setInterval(tell, MS_BETWEEN_UPDATES)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const result = outcome(await start(watch))
      if (onProgress) tell()
      return names.resultOut(verb, result)
    } catch (error) {
      if (failure !== undefined) throw failure
      // As with fetch: an aborted call rejects with the signal's own reason.
      if (signal?.aborted && error.code === 'interrupted') throw signal.reason
      throw error
    } finally {
      clearInterval(timer)
      signal?.removeEventListener('abort', stop)
    }
  }

  async *_pages(verb, args) {
    const { options, rest } = takeOptions(verb, args)
    let after = options.after
    do {
      const page = await this._async(verb, [...rest, { limit: PAGE_ROWS, ...options, after }])
      yield* page.rows
      after = page.next
    } while (after !== null)
  }
}

for (const verb of VERBS) {
  const name = names.camel(verb.name)
  if (name in Cdp.prototype) continue
  define(name, function (...args) {
    return this._sync(verb, args)
  })
  define(`${name}Async`, function (...args) {
    return this._async(verb, args)
  })
  if (hasParameter(verb, 'limit') && hasParameter(verb, 'after')) {
    define(`iterate${name[0].toUpperCase()}${name.slice(1)}`, function (...args) {
      return this._pages(verb, args)
    })
  }
}

if (Symbol.dispose) define(Symbol.dispose, Cdp.prototype.close)
if (Symbol.asyncDispose) define(Symbol.asyncDispose, Cdp.prototype.closeAsync)

function define(name, value) {
  Object.defineProperty(Cdp.prototype, name, { value, writable: true, configurable: true })
}

// The request of a call, and what stays on this side of the border.
function requestOf(verb, args) {
  if (verb.takes_message) {
    const [message, options] = args
    // Segment messages pass as they are; the core knows both casings.
    return { request: message ?? {}, signal: options?.signal, onProgress: options?.onProgress }
  }
  const { options, rest, positional } = takeOptions(verb, args)
  const { request, signal, onProgress } = split(options)
  positional.forEach((name, index) => {
    if (rest[index] !== undefined) request[name] = rest[index]
  })
  for (const { name, type } of verb.parameters) {
    if (name in request) request[name] = argumentIn(type, request[name])
  }
  return { request, signal, onProgress }
}

// An argument in the form that the core takes.
function argumentIn(type, value) {
  if (type === 'identifier') return names.identifierIn(value)
  if (type === 'identifiers' && Array.isArray(value)) return value.map(names.identifierIn)
  if (type === 'bytes' && ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  if (type === 'definitions' && value instanceof URL) return require('node:url').fileURLToPath(value)
  return value
}

function hasParameter(verb, name) {
  return verb.parameters.some(parameter => parameter.name === name)
}

function takeOptions(verb, args) {
  let positional = POSITIONAL.get(verb)
  // `predict('interest_cohort', { text })`: an object of nothing but options is no identifier.
  const at = positional.indexOf('identifier')
  if (at >= 0 && args.length === at + 1 && isOptions(verb, args[at])) positional = positional.slice(0, at)
  if (args.length > positional.length + 1) {
    throw new CdpError({ kind: 'invalid', message: `${names.camel(verb.name)} takes ${positional.length} argument(s) and options` })
  }
  const options = args[positional.length] ?? {}
  if (typeof options !== 'object') {
    throw new CdpError({ kind: 'invalid', message: `the options of ${names.camel(verb.name)} must be an object` })
  }
  return { options, rest: Array.from(positional, (_, index) => args[index]), positional }
}

function isOptions(verb, argument) {
  const keys = argument !== null && typeof argument === 'object' ? Object.keys(argument) : []
  return keys.length > 0 && keys.every(key => hasParameter(verb, names.snake(key)) || key === 'signal')
}

function split({ signal, onProgress, ...options }) {
  return { request: names.snakeOptions(options), signal, onProgress }
}

// A path, bytes, or rows as lines of JSON.
function input(data) {
  if (typeof data === 'string') return { kind: 'Path', value: data }
  if (data instanceof URL) return { kind: 'Path', value: require('node:url').fileURLToPath(data) }
  if (ArrayBuffer.isView(data)) return { kind: 'Bytes', value: Buffer.from(data.buffer, data.byteOffset, data.byteLength) }
  if (data instanceof ArrayBuffer) return { kind: 'Bytes', value: Buffer.from(data) }
  if (data !== null && typeof data === 'object') {
    if (typeof data[Symbol.asyncIterator] === 'function') {
      throw new CdpError({ kind: 'invalid', message: 'a stream is read asynchronously', hint: 'use ingestAsync' })
    }
    const rows = typeof data[Symbol.iterator] === 'function' && !(data instanceof Map) ? data : [data]
    return { kind: 'Lines', value: Array.from(rows, line).join('\n') }
  }
  throw new CdpError({ kind: 'invalid', message: `cannot ingest a ${typeof data}`, hint: 'give a path, a Buffer, an object, an array or a Readable' })
}

// The line of a row that cannot be stored says why, so that it is only its own fault.
function line(row) {
  try {
    return encode(row)
  } catch (error) {
    if (error instanceof CdpError) return `!${JSON.stringify(error.faults[0])}`
    throw error
  }
}

// A stream is gathered first: fed piece by piece it could wait for a pool thread that waits for it.
async function gathered(data) {
  if (data === null || typeof data !== 'object' || typeof data[Symbol.asyncIterator] !== 'function') return data
  const chunks = []
  for await (const chunk of data) chunks.push(chunk)
  if (chunks.every(chunk => typeof chunk === 'string' || ArrayBuffer.isView(chunk))) {
    return Buffer.concat(chunks.map(chunk => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)))
  }
  return chunks
}

// Outside the class, so that what the addon holds does not hold the store.
function ringFor(reference) {
  return () => reference.deref()?._answer()
}

// Outside the class as well. A scorer may answer later, by a promise; what it throws is told by its name alone.
function asking(scorer) {
  const ask = async question => {
    const [number, texts, cohorts] = JSON.parse(question)
    let said
    try {
      said = JSON.stringify({ ok: await scorer(texts, cohorts) })
    } catch (error) {
      said = JSON.stringify({ error: error instanceof Error ? error.name : typeof error })
    }
    native.scorerAnswered(number, said)
  }
  return question => void ask(question)
}

function answer(text) {
  return outcome(JSON.parse(text))
}

function outcome({ ok, error }) {
  if (error !== undefined) throw new CdpError(error)
  return ok
}

module.exports = { open, Cdp, CdpError, VERBS }
