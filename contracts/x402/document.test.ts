import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { channelAddress, channelParamsToJson } from '../channel/params.ts'
import { decodePayment, encodePayment, paymentRequestId, paymentRequestText } from './index.ts'
import { EXAMPLE_PARAMS, EXAMPLE_REQUEST, REQUIRED, RESPONSE, SHORT } from './testing.ts'

const text = readFileSync(new URL('../x402.md', import.meta.url), 'utf8')
const json = (value: unknown) => JSON.stringify(value, null, 2)

describe('the example of x402.md', () => {
  it.each([
    ['parameters', json(channelParamsToJson(EXAMPLE_PARAMS))],
    ['address', `\`${channelAddress(EXAMPLE_PARAMS).toRawString()}\``],
    ['PAYMENT-REQUIRED', json(REQUIRED)],
    ['body', Buffer.from(EXAMPLE_REQUEST.body).toString()],
    ['signed text', paymentRequestText(EXAMPLE_REQUEST).toString()],
    ['PAYMENT-SIGNATURE', json(SHORT)],
    ['its header', `\n${encodePayment(SHORT)}\n`],
    ['request id', `\`${paymentRequestId(EXAMPLE_REQUEST.channel, EXAMPLE_REQUEST.id)}\``],
    ['PAYMENT-RESPONSE', json(RESPONSE)],
  ])('%s', (_what, shown) => {
    expect(text).toContain(shown)
  })

  it('is read back from the page', () => {
    const header = /^[A-Za-z0-9+/=]{200,}$/m.exec(text)?.[0] ?? ''
    expect(decodePayment(header)).toEqual(SHORT)
  })
})
