// The compiled addon of this platform, and the core's table of verbs, which every other file here reads.
'use strict'

const fs = require('node:fs')
const path = require('node:path')

// The addon that was built here, else the one of the package for this platform. On Linux the package has one for each C library.
function load() {
  const built = `${process.platform}-${process.arch}`
  const file = platform => path.join(__dirname, '..', `cdp.${platform}.node`)
  if (fs.existsSync(file(built))) return require(file(built))
  const packed = process.platform === 'linux' ? `${built}-${libc()}` : built
  if (!fs.existsSync(file(packed))) throw new Error(`no addon for ${packed}; build it with \`npm run build\` (needs Rust)`)
  return require(file(packed))
}

function libc() {
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'gnu'
}

const native = load()
/** `{verbs, user_keyed_fields}`: the rows of the core's verb table, and the result fields whose content is the user's own. */
const TABLE = JSON.parse(native.verbTable())

module.exports = { native, TABLE }
