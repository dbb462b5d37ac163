import {
  decodePaymentRequiredHeader,
  decodePaymentResponseHeader,
  encodePaymentSignatureHeader,
} from '@x402/core/http'
import { PaymentPayloadV2Schema, PaymentRequiredV2Schema } from '@x402/core/schemas'
import type { PaymentPayload as FoundationPayload } from '@x402/core/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodePayment,
  decodePaymentRequired,
  decodePaymentResponse,
  encodePayment,
  encodePaymentRequired,
  encodePaymentResponse,
  paymentNetwork,
} from './index.ts'
import { PAYMENT, REQUIRED, RESPONSE, SHORT } from './testing.ts'

const base64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64')

/** A deep copy with one field replaced; undefined takes it out. */
function withField(value: unknown, path: string, replacement: unknown): unknown {
  const copy = structuredClone(value) as Record<string, unknown>
  const names = path.split('.')
  const last = names.pop() as string
  const parent = names.reduce((at, name) => at[name] as Record<string, unknown>, copy)
  if (replacement === undefined) delete parent[last]
  else parent[last] = replacement
  return copy
}

describe('headers', () => {
  it('come back as they went, in less than 2 KB', () => {
    for (const [header, decode, value] of [
      [encodePaymentRequired(REQUIRED), decodePaymentRequired, REQUIRED],
      [encodePayment(PAYMENT), decodePayment, PAYMENT],
      [encodePayment(SHORT), decodePayment, SHORT],
      [encodePaymentResponse(RESPONSE), decodePaymentResponse, RESPONSE],
    ] as const) {
      expect(decode(header)).toEqual(value)
      expect(header.length).toBeLessThan(2048)
    }
  })

  it('are the JSON in base64, byte by byte, and name the network by its global_id', () => {
    const onMainnet = <T extends { network: string }>(value: T) => ({
      ...value,
      network: paymentNetwork(-239),
    })
    const required = { ...REQUIRED, accepts: REQUIRED.accepts.map(onMainnet) }
    const payment = { ...PAYMENT, accepted: onMainnet(PAYMENT.accepted) }
    const response = onMainnet(RESPONSE)
    const plain = (header: string) => Buffer.from(header, 'base64').toString()
    expect(plain(encodePaymentRequired(required))).toBe(JSON.stringify(required))
    expect(plain(encodePayment(payment))).toBe(JSON.stringify(payment))
    expect(plain(encodePaymentResponse(response))).toBe(JSON.stringify(response))
    const offer = '"accepts":[{"scheme":"batch-settlement","network":"tvm:-239","amount":"'
    expect(plain(encodePaymentRequired(required))).toContain(offer)
    expect(decodePaymentRequiredHeader(encodePaymentRequired(required))).toEqual(required)
    expect(decodePayment(encodePayment(payment))).toEqual(payment)
  })

  it.each([
    ['x402Version', 1],
    ['accepted.scheme', 'exact'],
    ['accepted.network', 'eip155:1'],
    ['accepted.amount', '01'],
    ['accepted.amount', '-1'],
    ['accepted.amount', 5],
    ['accepted.amount', '1'.repeat(28)],
    ['accepted.asset', 'USDT'],
    ['accepted.payTo', 'EQAHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHB8Jh'],
    ['accepted.maxTimeoutSeconds', 0],
    ['payload', undefined],
    ['payload.type', 'deposit'],
    ['payload.more', 1],
    ['payload.channel', '0:00'],
    ['payload.channel', { id: '0:00' }],
    ['payload.channel.salt', undefined],
    ['payload.channel.more', 1],
    ['payload.voucher.ceiling', '1e3'],
    ['payload.voucher.signature', 'AAAA'],
    ['payload.voucher.signature', `${'A'.repeat(85)}B==`],
    ['payload.request.id', 'short'],
    ['payload.request.id', `${'a'.repeat(20)}\n`],
    ['payload.request.expires', 1.5],
    ['payload.request.expires', '1800000000'],
    ['payload.request.signature', `${'A'.repeat(86)}=`],
  ])('a payment with %s = %j is refused by that name', (path, value) => {
    // A field that is not known is named by the object that it is in, a wrong channel as a whole.
    const named = path.replace(/^(payload\.channel|payload(?=\.more)).*/, '$1')
    const refusal = () => decodePayment(base64(withField(PAYMENT, path, value)))
    expect(refusal).toThrow(expect.objectContaining({ code: 'ERR_PAYMENT_HEADER' }))
    expect(refusal).toThrow(named)
  })

  it.each([
    ['too long', 'A'.repeat(8196)],
    ['empty', ''],
    ['no base64', '{"x402Version":2}'],
    ['base64url', `${base64(PAYMENT).slice(0, -4)}_-_-`],
    ['not canonical', 'e31='],
    ['no JSON', base64('{')],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('base64')],
    ['no object', base64(null)],
  ])('%s is refused', (_name, header) => {
    for (const decode of [decodePayment, decodePaymentRequired, decodePaymentResponse]) {
      expect(() => decode(header)).toThrow(expect.objectContaining({ code: 'ERR_PAYMENT_HEADER' }))
    }
  })

  it('no header whatever makes anything but a typed error', () => {
    const junk = fc.oneof(
      fc.string(),
      fc.string().map(base64),
      fc.json().map(base64),
      fc.jsonValue().map(base64),
    )
    fc.assert(
      fc.property(junk, (header) => {
        for (const decode of [decodePayment, decodePaymentRequired, decodePaymentResponse]) {
          expect(() => decode(header)).toThrow(expect.objectContaining({ code: 'ERR_PAYMENT_HEADER' }))
        }
      }),
    )
  })

  it('offers that are not ours are passed over, and none of ours is an error', () => {
    const [ours] = REQUIRED.accepts
    const foreign = {
      ...ours,
      scheme: 'exact',
      network: 'eip155:8453',
      asset: '0x00',
      extra: { name: 'USDC' },
    }
    expect(decodePaymentRequired(base64({ ...REQUIRED, accepts: [foreign, ours] })).accepts).toEqual([ours])
    expect(() => decodePaymentRequired(base64({ ...REQUIRED, accepts: [foreign] }))).toThrow(
      'accepts: no offer',
    )
  })
})

describe('the foundation reads it', () => {
  it('PAYMENT-REQUIRED by its schema and its decoder', () => {
    expect(PaymentRequiredV2Schema.parse(REQUIRED)).toEqual(REQUIRED)
    expect(decodePaymentRequiredHeader(encodePaymentRequired(REQUIRED))).toEqual(REQUIRED)
  })

  it('PAYMENT-SIGNATURE by its schema, and its encoder writes what we read', () => {
    expect(PaymentPayloadV2Schema.parse(PAYMENT)).toEqual(PAYMENT)
    // As its client composes it: with all of the offer and the resource given back.
    const [accepted] = REQUIRED.accepts
    const composed = {
      ...PAYMENT,
      accepted,
      resource: REQUIRED.resource,
      extensions: {},
    } as FoundationPayload
    const header = encodePaymentSignatureHeader(composed)
    expect(decodePayment(header).payload).toEqual(PAYMENT.payload)
    expect(header.length).toBeLessThan(4096)
  })

  it('PAYMENT-RESPONSE by its decoder', () => {
    expect(decodePaymentResponseHeader(encodePaymentResponse(RESPONSE))).toEqual(RESPONSE)
  })
})
