import { Address } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { generateKey, rawPublicKey } from '../voucher/keys.ts'
import { signVoucher, verifyVoucher } from '../voucher/voucher.ts'
import {
  checkPaymentExpiry,
  MAX_REQUEST_SECONDS,
  type PaymentRequestTerms,
  paymentRequestId,
  signPaymentRequest,
  verifyPaymentRequest,
} from './index.ts'
import { EXAMPLE_KEY, EXAMPLE_REQUEST } from './testing.ts'

const publicKey = rawPublicKey(EXAMPLE_KEY)
const { signature } = signPaymentRequest(EXAMPLE_KEY, EXAMPLE_REQUEST)
const code = (name: string) => expect.objectContaining({ code: name })

describe('the signature of a request', () => {
  it('holds for this request', () => {
    expect(() => verifyPaymentRequest(publicKey, EXAMPLE_REQUEST, signature)).not.toThrow()
  })

  it.each<[string, Partial<PaymentRequestTerms>]>([
    ['network', { globalId: -239 }],
    ['channel', { channel: new Address(0, Buffer.alloc(32, 9)) }],
    ['method', { method: 'GET' }],
    ['path', { path: '/v1/embeddings' }],
    ['query', { path: '/v1/chat/completions?a=1' }],
    ['body', { body: Buffer.from('{}') }],
    ['id', { id: 'example-request-0002' }],
    ['amount', { amount: 2_000_001n }],
    ['expires', { expires: EXAMPLE_REQUEST.expires + 1 }],
  ])('does not hold with another %s', (_name, other) => {
    const check = () => verifyPaymentRequest(publicKey, { ...EXAMPLE_REQUEST, ...other }, signature)
    expect(check).toThrow(code('ERR_PAYMENT_SIGNATURE'))
  })

  it('is by the channel’s key, and no voucher', () => {
    const check = (key: Buffer, text: string) => () => verifyPaymentRequest(key, EXAMPLE_REQUEST, text)
    expect(check(rawPublicKey(generateKey()), signature)).toThrow(code('ERR_PAYMENT_SIGNATURE'))
    const { globalId, channel, amount: ceiling } = EXAMPLE_REQUEST
    const voucher = signVoucher(EXAMPLE_KEY, { globalId, channel, ceiling })
    expect(check(publicKey, voucher.toString('base64'))).toThrow(code('ERR_PAYMENT_SIGNATURE'))
    expect(verifyVoucher(publicKey, { globalId, channel, ceiling }, Buffer.from(signature, 'base64'))).toBe(
      false,
    )
    for (const text of ['', 'AAAA', signature.slice(0, -4)]) {
      expect(check(publicKey, text)).toThrow(code('ERR_PAYMENT_SIGNATURE'))
    }
  })

  it.each<[string, Partial<PaymentRequestTerms>]>([
    ['method', { method: 'POST\n/v1' }],
    ['path', { path: '/v1\n' }],
    ['path', { path: 'v1' }],
    ['id', { id: `${'a'.repeat(16)}\n` }],
    ['amount', { amount: -1n }],
    ['expires', { expires: 1.5 }],
  ])('is not made where lines could be read in two ways: %s', (field, other) => {
    const sign = () => signPaymentRequest(EXAMPLE_KEY, { ...EXAMPLE_REQUEST, ...other })
    expect(sign).toThrow(code('ERR_PAYMENT_REQUEST'))
    expect(sign).toThrow(field)
  })
})

describe('expiry', () => {
  it('is at most five minutes ahead, and the error names both clocks', () => {
    const now = 1_800_000_000.5
    for (const ahead of [1, MAX_REQUEST_SECONDS])
      expect(() => checkPaymentExpiry(now + ahead, now)).not.toThrow()
    expect(() => checkPaymentExpiry(1_800_000_000, now)).toThrow(code('ERR_PAYMENT_EXPIRED'))
    expect(() => checkPaymentExpiry(1_800_000_301, now)).toThrow(/1800000301 .* 1800000000 here/)
  })
})

describe('the id of the ledger', () => {
  it('follows from channel and id, and from nothing else', () => {
    const { channel, id } = EXAMPLE_REQUEST
    expect(paymentRequestId(channel, id)).toMatch(/^[0-9a-f]{32}$/)
    expect(paymentRequestId(channel, id)).toBe(paymentRequestId(channel, id))
    expect(paymentRequestId(channel, `${id}x`)).not.toBe(paymentRequestId(channel, id))
    expect(paymentRequestId(new Address(0, Buffer.alloc(32)), id)).not.toBe(paymentRequestId(channel, id))
  })
})
