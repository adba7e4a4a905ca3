// JavaScript values survive the way into the store and back, and what cannot be stored says where it is.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')

const { open } = require('embedded-cdp')

function roundTrip(value) {
  const db = open()
  try {
    db.identify({ userId: 'u1', traits: { seen: [value] } })
    return db.profile({ userId: 'u1' }).traits.seen[0]
  } finally {
    db.close()
  }
}

test('what can be stored is kept', () => {
  for (const [given, stored] of [
    [null, null],
    [undefined, null],
    [true, true],
    [0.1, 0.1],
    [-0, 0],
    [2 ** 53, 2 ** 53],
    [10n ** 19n, 1e19],
    ['é\u{1F600}\u0000\n', 'é\u{1F600}\u0000\n'],
    [new Date('2011-12-10T02:30:00+02:30'), '2011-12-10T00:00:00.000Z'],
    [new Map([['a_b', new Set([1, 2])]]), { a_b: [1, 2] }],
    [{ gone: undefined, camelCase: 1 }, { camelCase: 1 }],
    [[1, , 2], [1, null, 2]],
    [{ toJSON: () => 'mine' }, 'mine'],
    [Object(5), 5],
  ]) {
    assert.deepEqual(roundTrip(given), stored)
  }
})

test('what cannot be stored is refused with its place', () => {
  const itself = []
  itself.push(itself)
  for (const value of [
    NaN, Infinity, 1e21, 10n ** 20n + 1n, '\ud800', new Date(NaN), Buffer.from('x'), new ArrayBuffer(1), Symbol('x'), () => 1,
    Promise.resolve(1), /x/, new Error('x'), new Map([[1, 2]]), itself,
  ]) {
    assert.throws(() => roundTrip({ 'a/b': value }), error => {
      assert.equal(error.code, 'invalid')
      if (error.pointer !== null) assert.match(error.pointer, /^\/traits\/seen\/0\/a~1b/)
      return true
    })
  }
})

test('an error never shows the value', () => {
  assert.throws(() => roundTrip({ card: /4111-1111/ }), error => !error.message.includes('4111'))
})

test('sixty-four levels are allowed and one more is not', () => {
  const nested = levels => (levels === 0 ? 1 : [nested(levels - 1)])
  // The message, its traits and the list around the value are three levels.
  assert.deepEqual(roundTrip(nested(61)), nested(61))
  assert.throws(() => roundTrip(nested(62)), { code: 'invalid', message: /64 levels/ })
})
