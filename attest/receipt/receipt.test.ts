import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromBase64Url, toBase64Url, utf8 } from '../bytes.ts'
import { fixedKey } from '../seal/testing.ts'
import {
  checkDetails,
  encodeDetails,
  ReceiptError,
  receiptDigest,
  receiptMessage,
  type SignedReceipt,
  signReceipt,
  verifyReceipt,
} from './index.ts'
import { sampleDetails, sampleStatement } from './testing.ts'

const { privateKey, publicKey } = fixedKey(3)
const blind = new Uint8Array(32).fill(4)
const details = sampleDetails
const statement = sampleStatement
const receipt = signReceipt(statement, details, blind, privateKey)

/** A payload of any content, properly signed. */
function signed(text: string): SignedReceipt {
  const payload = utf8(text)
  return {
    payload: toBase64Url(payload),
    signature: toBase64Url(sign(null, receiptMessage(payload), privateKey)),
  }
}

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return error instanceof ReceiptError ? error.code : String(error)
  }
  return 'no error'
}

describe('a receipt', () => {
  it('says what was signed', () => {
    const body = verifyReceipt(receipt, publicKey)
    expect(body).toEqual({ ...statement, v: 1, details: body.details })
    expect(checkDetails(body, encodeDetails(details), blind)).toEqual(details)
  })

  it('is refused with any byte changed, in payload and in signature', () => {
    for (const field of ['payload', 'signature'] as const) {
      const bytes = fromBase64Url(receipt[field])
      for (let at = 0; at < bytes.length; at++) {
        const changed = bytes.slice()
        changed[at] = (changed[at] ?? 0) ^ 1
        const code = codeOf(() => verifyReceipt({ ...receipt, [field]: toBase64Url(changed) }, publicKey))
        expect(code).toBe('ERR_RECEIPT_SIGNATURE')
      }
    }
  })

  it('is refused under another key, a key of small order and a key of another length', () => {
    for (const key of [
      fixedKey(4).publicKey,
      new Uint8Array(32),
      new Uint8Array([1, ...new Uint8Array(31)]),
    ]) {
      expect(codeOf(() => verifyReceipt(receipt, key))).toBe('ERR_RECEIPT_SIGNATURE')
    }
    expect(codeOf(() => verifyReceipt(receipt, new Uint8Array(31)))).toBe('ERR_RECEIPT_SIGNATURE')
  })

  it('is not a signature of another purpose', () => {
    const payload = fromBase64Url(receipt.payload)
    const bare = { payload: receipt.payload, signature: toBase64Url(sign(null, payload, privateKey)) }
    expect(codeOf(() => verifyReceipt(bare, publicKey))).toBe('ERR_RECEIPT_SIGNATURE')
  })

  it('is parsed only after its signature holds', () => {
    const junk = { payload: toBase64Url(utf8('{')), signature: receipt.signature }
    expect(codeOf(() => verifyReceipt(junk, publicKey))).toBe('ERR_RECEIPT_SIGNATURE')
    expect(codeOf(() => verifyReceipt(signed('{'), publicKey))).toBe('ERR_RECEIPT_MALFORMED')
  })

  it('is refused with unknown, repeated, missing or malformed fields, although signed', () => {
    const text = Buffer.from(receipt.payload, 'base64url').toString()
    const bad = [
      text.replace('{', '{"zz":1,'),
      text.replace('{', '{"clientCharge":"1",'),
      text.replace('"clientCharge":"10",', ''),
      text.replace('"10"', '10'),
      text.replace('"10"', '"010"'),
      text.replace('"10"', '"-1"'),
      text.replace('"complete"', '"done"'),
      text.replace('"v":1', '"v":2'),
      '[]',
      'null',
    ]
    for (const payload of bad)
      expect(codeOf(() => verifyReceipt(signed(payload), publicKey))).toBe('ERR_RECEIPT_MALFORMED')
    expect(codeOf(() => verifyReceipt(signed(text), publicKey))).toBe('no error')
  })

  it('is refused when its envelope is no envelope', () => {
    const bad: unknown[] = [
      null,
      {},
      { ...receipt, more: 1 },
      { ...receipt, payload: `${receipt.payload}=` },
      { ...receipt, signature: 'AA' },
      { ...receipt, payload: 'A'.repeat(9000) },
      // The last sextet of 86 characters has four bits to spare: only zeros there are canonical.
      { ...receipt, signature: `${receipt.signature.slice(0, -1)}B` },
    ]
    for (const envelope of bad)
      expect(codeOf(() => verifyReceipt(envelope, publicKey))).toMatch(/^ERR_RECEIPT/)
  })

  it('has one name, whoever signs it again', () => {
    expect(receiptDigest(receipt)).toMatch(/^[0-9a-f]{64}$/)
    const again = signReceipt(statement, details, blind, fixedKey(9).privateKey)
    expect(receiptDigest(again)).toBe(receiptDigest(receipt))
    const other = signReceipt({ ...statement, clientCharge: '11' }, details, blind, privateKey)
    expect(receiptDigest(other)).not.toBe(receiptDigest(receipt))
  })
})

describe('the sealed details', () => {
  const body = verifyReceipt(receipt, publicKey)

  it('are refused when changed, or under another blind', () => {
    const changed = encodeDetails({ ...details, completionTokens: 3 })
    expect(codeOf(() => checkDetails(body, changed, blind))).toBe('ERR_RECEIPT_DETAILS')
    const bytes = encodeDetails(details)
    expect(codeOf(() => checkDetails(body, bytes, new Uint8Array(32)))).toBe('ERR_RECEIPT_DETAILS')
    // HMAC pads its key with zeros: a longer blind would be the same blind.
    expect(codeOf(() => checkDetails(body, bytes, new Uint8Array([...blind, 0])))).toBe('ERR_RECEIPT_DETAILS')
  })

  it('are refused when they are out of range, signing and reading', () => {
    expect(() => encodeDetails({ ...details, promptTokens: -1 })).toThrow()
    expect(() => signReceipt(statement, details, new Uint8Array(31), privateKey)).toThrow(/blind/)
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    expect(() => signReceipt(statement, details, blind, ec)).toThrow(/Ed25519/)
    expect(() => signReceipt({ ...statement, clientCharge: '1.5' }, details, blind, privateKey)).toThrow()
  })
})
