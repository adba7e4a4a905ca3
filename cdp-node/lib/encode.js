// JavaScript values as the JSON text that the core reads.
// Stricter than JSON.stringify, which silently turns NaN into null and a Map into {}: what cannot be stored as it is
// is an `invalid` error with the pointer to the place. Must never put a value into an error.
'use strict'

const { CdpError } = require('./error')

const MAX_DEPTH = 64

/** The JSON text of a value. */
function encode(value) {
  return write(value, 0) ?? 'null'
}

function write(value, depth) {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
      if (!Number.isFinite(value)) refuse('a number that is not finite cannot be stored; use null where it is missing')
      return String(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'bigint':
      return String(value)
    case 'undefined':
      return undefined
    case 'object':
      return value === null ? 'null' : writeObject(value, depth)
    default:
      return refuse(`a ${typeof value} cannot be stored`)
  }
}

function writeObject(value, depth) {
  if (depth >= MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) return writeList(value, depth)
  // The common case first: the tests below cost more than writing a small object.
  if (Object.getPrototypeOf(value) === Object.prototype && typeof value.toJSON !== 'function') return writeFields(Object.entries(value), depth)
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) refuse('an invalid Date cannot be stored')
    return `"${value.toISOString()}"`
  }
  if (value instanceof Map) return writeFields(value, depth)
  if (value instanceof Set) return writeList([...value], depth)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) refuse('bytes cannot be stored; decode them to text')
  if (typeof value.toJSON === 'function') return write(value.toJSON(), depth + 1)
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return write(value.valueOf(), depth)
  const tag = Object.prototype.toString.call(value)
  // A promise or an error would become {}: somebody forgot an await.
  if (tag !== '[object Object]') refuse(`a ${tag.slice(8, -1)} cannot be stored`)
  return writeFields(Object.entries(value), depth)
}

function writeList(list, depth) {
  const items = []
  try {
    // By index, because a hole is null as well.
    while (items.length < list.length) items.push(write(list[items.length], depth + 1) ?? 'null')
  } catch (error) {
    throw placed(error, String(items.length))
  }
  return `[${items.join(',')}]`
}

function writeFields(entries, depth) {
  const fields = []
  for (const [key, value] of entries) {
    if (typeof key !== 'string') refuse(`a key must be text, not ${key === null ? 'null' : `a ${typeof key}`}`)
    try {
      const text = write(value, depth + 1)
      if (text !== undefined) fields.push(`${quote(key)}:${text}`)
    } catch (error) {
      throw placed(error, key)
    }
  }
  return `{${fields.join(',')}}`
}

// Most text has nothing to escape, and a test is cheaper than a call of JSON.stringify.
function quote(text) {
  return /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/.test(text) ? `"${text}"` : JSON.stringify(text)
}

function refuse(message) {
  throw new CdpError({ kind: 'invalid', message, pointer: '', faults: [{ pointer: '', message }] })
}

// A refusal with its place one step longer, on its way up.
function placed(error, key) {
  if (!(error instanceof CdpError) || error.pointer === null) return error
  const pointer = `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}${error.pointer}`
  const [{ message }] = error.faults
  return new CdpError({ kind: error.code, message, pointer, faults: [{ pointer, message }] })
}

module.exports = { encode }
