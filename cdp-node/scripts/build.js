// Builds the addon with cargo and puts it beside the package as cdp.<platform>-<arch>.node.
// Needs cargo and nothing else; must never download anything itself.
'use strict'

const { execFileSync } = require('node:child_process')
const { copyFileSync, renameSync } = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')
const release = process.argv.includes('--release')
const cargo = (args, stdio) => execFileSync('cargo', args, { cwd: root, stdio, encoding: 'utf8', maxBuffer: 1 << 28 })

cargo(['build', '--package', 'cdp-node', ...(release ? ['--release'] : [])], 'inherit')
const { target_directory: target } = JSON.parse(cargo(['metadata', '--no-deps', '--format-version', '1'], ['ignore', 'pipe', 'inherit']))
const library = { win32: 'cdp_node.dll', darwin: 'libcdp_node.dylib' }[process.platform] ?? 'libcdp_node.so'
const addon = path.join(root, `cdp.${process.platform}-${process.arch}.node`)
// Renamed into place, because a process that has the old file mapped must not see it change.
copyFileSync(path.join(target, release ? 'release' : 'debug', library), `${addon}.new`)
renameSync(`${addon}.new`, addon)
