// Scorers in JavaScript: asked off the event loop, believed only where they answer soundly.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')

const { open } = require('embedded-cdp')

const TASTE = {
  kind: 'predictor', name: 'taste', task: 'cohort', text: [{ trait: 'interests' }],
  cohorts: [
    { cohort: 'outdoor', description: 'hiking and climbing in the mountains', keywords: ['trail'] },
    { cohort: 'music', description: 'concerts, instruments and jazz' },
  ],
}

function store() {
  const db = open({ clock: '2024-02-01T00:00:00Z', idSeed: 'scorers' })
  db.define(TASTE)
  const interests = { u1: 'mountain huts', u2: 'a jazz concert', u3: 'unheard of' }
  for (const [userId, text] of Object.entries(interests)) {
    db.identify({ userId, traits: { interests: text }, timestamp: '2024-01-01T00:00:00Z' })
  }
  return db
}

test('a registered scorer is asked about each text once, and its answers stay', async () => {
  const db = store()
  const asked = []
  const scorer = async (texts, cohorts) => {
    await new Promise(resolve => setTimeout(resolve, 5))
    asked.push(...texts)
    assert.deepEqual(cohorts[0], TASTE.cohorts[0])
    return texts.map(() => ({ cohort: 'music', score: 0.75 }))
  }
  db.registerScorer('taste', scorer, { method: 'mine/2' })
  assert.equal((await db.predictAsync('taste', { text: 'new words' })).method, 'mine/2')
  const report = await db.trainAsync('taste')
  assert.deepEqual([report.asked, report.answered, report.attempts, report.lastError], [3, 3, 1, null])
  asked.length = 0
  const said = await db.predictAsync('taste', { userId: 'u3' })
  assert.deepEqual([said.cohort, said.score, said.method, said.modelVersion], ['music', 0.75, 'mine/2', 1])
  assert.deepEqual(db.cohortMembers('taste', 'music').rows.map(row => row.user_id), ['u1', 'u2', 'u3'])
  assert.deepEqual(asked, [])
  assert.throws(() => db.train('taste'), { code: 'invalid', hint: 'use trainAsync' })
  assert.throws(() => db.predict('taste', { text: 'x' }), { code: 'invalid' })
  // The raw door does not wait for itself either.
  assert.equal(db.call('predict', { predictor: 'taste', text: 'jazz' }).method, 'lexical/1')
  db.registerScorer('taste', null)
  assert.equal(db.predict('taste', { userId: 'u3' }).method, 'mine/2')
  assert.equal(db.predict('taste', { text: 'jazz' }).method, 'lexical/1')
})

test('a failing or lying scorer loses nothing', async () => {
  const lies = [
    () => { throw new TypeError('secret text') }, async () => { throw 'secret text' }, () => undefined, () => 'no json', () => [],
    texts => texts.map(() => ({ cohort: 'sailing', score: 1 })), texts => texts.map(() => ({ cohort: 'music', score: 2 })),
  ]
  for (const lie of lies) {
    const db = store()
    db.registerScorer('taste', lie, { pauseMs: 0 })
    const said = await db.predictAsync('taste', { userId: 'u2' })
    assert.deepEqual([said.cohort, said.method], ['music', 'lexical/1'])
    assert.ok(said.lastError.length > 0 && !said.lastError.includes('secret'))
    const report = await db.trainAsync('taste')
    assert.deepEqual([report.attempts, report.answered], [5, 0])
    assert.equal(db.models('taste')[0].lastError, report.lastError)
    assert.deepEqual(db.cohortMembers('taste', 'music').rows.map(row => row.user_id), ['u2'])
    db.close()
  }
  const db = store()
  assert.throws(() => db.registerScorer('none', () => []), { code: 'not_found' })
})
