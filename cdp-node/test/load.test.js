// Which addon the package loads: the one built here, else the one of the platform, and a clear error where there is none.
'use strict'

const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')

const root = path.join(__dirname, '..')
const built = `cdp.${process.platform}-${process.arch}.node`

/** A package with the wrapper and this addon only, or none; it is removed after the test. */
function packageWith(context, addon) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cdp-load-'))
  context.after(() => fs.rmSync(folder, { recursive: true }))
  fs.cpSync(path.join(root, 'lib'), path.join(folder, 'lib'), { recursive: true })
  if (addon !== undefined) fs.copyFileSync(path.join(root, built), path.join(folder, addon))
  return path.join(folder, 'lib')
}

test('an addon of the package is found by platform and C library', { skip: process.platform === 'linux' ? false : 'other systems have one C library' }, context => {
  const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'gnu'
  const folder = packageWith(context, built.replace('.node', `-${libc}.node`))
  const printed = execFileSync(process.execPath, ['-p', `require(${JSON.stringify(folder)}).VERBS.length > 50`], { encoding: 'utf8' })
  assert.equal(printed, 'true\n')
})

test('without an addon the error names the platform and the next step', context => {
  const folder = packageWith(context)
  const { status, stderr } = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(folder)})`], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, new RegExp(`no addon for ${process.platform}-${process.arch}.*npm run build`))
})
