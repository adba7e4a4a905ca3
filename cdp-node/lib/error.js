// The one error of the product, as the core's envelope describes it.
'use strict'

class CdpError extends Error {
  constructor({ kind, message, hint = null, pointer = null, faults = [] }) {
    super(hint ? `${message}\nhint: ${hint}` : message)
    this.name = 'CdpError'
    this.code = kind
    this.hint = hint
    this.pointer = pointer
    this.faults = faults
  }
}

module.exports = { CdpError }
