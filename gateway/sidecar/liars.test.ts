/** Gateways that lie. Each lie ends the signing, with an error that names it and evidence that is kept. */

import { readFileSync } from 'node:fs'
import { Address } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { generateKey, signVoucher } from '../../contracts/index.ts'
import { encodeQuote, type Quote } from '../../worker/protocol/index.ts'
import { type FakeInvoice, type Lies, MODEL, PRICES } from './testing/fake-gateway.ts'
import { SLICE, Stand } from './testing/stand.ts'

/** Resolves with why the signing stopped. */
async function stopped(stand: Stand): Promise<string> {
  await stand.until(() => stand.sidecar.state.halted !== undefined)
  return stand.sidecar.state.halted?.code ?? ''
}

/** What holds after every stop: nothing more is signed or sent, clients are told why, the evidence is on disk. */
async function expectStopped(stand: Stand, code: string): Promise<void> {
  expect(await stopped(stand)).toBe(code)
  const { state } = stand.sidecar
  expect(stand.gateway.ceiling).toBeLessThanOrEqual(state.verified + SLICE)
  const before = stand.gateway.seen.filter(({ method }) => method === 'POST').length
  const wanted = code.replace('ERR_', '').toLowerCase()
  await expect(stand.chat()).rejects.toMatchObject({ status: 402, code: wanted, type: 'insufficient_quota' })
  expect(stand.gateway.seen.filter(({ method }) => method === 'POST')).toHaveLength(before)
  await stand.stop()
  await stand.start()
  // A restart changes nothing about it.
  const { halted } = stand.sidecar.state
  expect(halted).toMatchObject({ code })
  const evidence = JSON.parse(readFileSync(halted?.evidence ?? '', 'utf8'))
  expect(evidence).toMatchObject({ code, channel: stand.gateway.address })
  expect(JSON.stringify(evidence)).not.toContain('CANARY')
}

const double = (prices: typeof PRICES) => ({ ...prices, completion: '4000000' })

describe('a gateway that lies about a receipt', () => {
  const cases: [string, Lies, string][] = [
    [
      'charges more than the enclave signed',
      { invoice: (i) => ({ ...i, charged: '26' }) },
      'ERR_OVERCHARGED',
    ],
    ['has the enclave charge by dearer prices', { prices: double(PRICES) }, 'ERR_OVERCHARGED'],
    ['has more tokens charged than the request can have', { extraTokens: 100_000 }, 'ERR_OVERCHARGED'],
    ['shows another quote', { invoice: (i) => ({ ...i, quote: 'e30' }) }, 'ERR_RECEIPT_REFUSED'],
    ['shows no quote', { invoice: ({ quote, ...i }) => i }, 'ERR_RECEIPT_REFUSED'],
    ['names another digest', { invoice: (i) => ({ ...i, digest: '00'.repeat(32) }) }, 'ERR_RECEIPT_REFUSED'],
    [
      'changes the receipt',
      { invoice: (i) => ({ ...i, receipt: { ...(i.receipt as object), signature: 'A'.repeat(86) } }) },
      'ERR_RECEIPT_REFUSED',
    ],
    [
      'invents a receipt with a key of its own',
      { invoice: (i) => ({ ...i, signing_key: '11'.repeat(32) }) },
      'ERR_RECEIPT_SIGNER',
    ],
    ['withholds the receipt', { invoice: () => undefined }, 'ERR_RECEIPT_WITHHELD'],
    [
      'shows counts that were not signed',
      { invoice: (i) => ({ ...i, details: 'e30', blind: 'A'.repeat(43) }) },
      'ERR_RECEIPT_REFUSED',
    ],
  ]
  it.each(cases)('%s', async (_, lies, code) => {
    await using stand = await Stand.open()
    stand.gateway.lies = lies
    await stand.chat()
    await expectStopped(stand, code)
  })

  it('shows the receipt of another request', async () => {
    await using stand = await Stand.open()
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 25n)
    const [first] = stand.gateway.invoices
    stand.gateway.lies = { invoice: (i) => ({ ...(first ?? i), id: i.id }) }
    await stand.chat()
    await expectStopped(stand, 'ERR_RECEIPT_REFUSED')
  })
})

it('goes on without proof where a person takes the charge as it is', async () => {
  await using stand = await Stand.open()
  const unknown = (each: FakeInvoice) => ({ ...each, signing_key: '33'.repeat(32) })
  stand.gateway.lies = { invoice: unknown, list: (all) => all.map(unknown) }
  await stand.chat()
  expect(await stopped(stand)).toBe('ERR_RECEIPT_SIGNER')
  await stand.sidecar.accounts.quiet()
  stand.sidecar.state.setHalt(undefined)
  await stand.stop()
  await stand.start({ accept: true })
  await stand.until(() => stand.sidecar.state.verified === 25n)
  expect(stand.sidecar.state.halted).toBeUndefined()
})

it('shows a cheaper price list than the enclave charged by', async () => {
  await using stand = await Stand.open()
  const quote: Quote = { v: 1, model: MODEL, client: PRICES, worker: PRICES, step: '1' }
  const shown = Buffer.from(encodeQuote(quote)).toString('base64url')
  stand.gateway.lies = { prices: double(PRICES), invoice: (each) => ({ ...each, quote: shown }) }
  await stand.chat()
  await expectStopped(stand, 'ERR_RECEIPT_REFUSED')
})

describe('a gateway that lies about the channel', () => {
  /** After one honest request, the second is answered by the liar. */
  async function afterOne(lies: (stand: Stand) => Lies, code: string): Promise<void> {
    await using stand = await Stand.open()
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 25n)
    stand.gateway.lies = lies(stand)
    await stand.chat()
    await expectStopped(stand, code)
  }
  const total = (chargedCumulativeAmount: string) => (): Lies => ({
    state: (state) => ({ ...state, chargedCumulativeAmount }),
  })

  it('counts less than it had shown receipts for: its books were rolled back', () =>
    afterOne(total('24'), 'ERR_ROLLED_BACK'))
  it('counts more than receipts and running requests explain', () =>
    afterOne(total('99999'), 'ERR_CHARGES_DIFFER'))
  it('has taken more on chain than it charged', () =>
    afterOne(() => ({ state: (state) => ({ ...state, totalClaimed: '51' }) }), 'ERR_CHARGES_DIFFER'))
  it('speaks of another channel', () =>
    afterOne(
      () => ({ state: (state) => ({ ...state, channelId: `0:${'00'.repeat(32)}` }) }),
      'ERR_TERMS_DIFFER',
    ))
  it('shows a voucher that another key signed', () =>
    afterOne(({ gateway }) => {
      const terms = { globalId: gateway.globalId, channel: Address.parseRaw(gateway.address), ceiling: 5n }
      const signature = signVoucher(generateKey(), terms).toString('base64')
      return { voucher: () => ({ signedMaxClaimable: '5', signature }) }
    }, 'ERR_VOUCHER_INVENTED'))
  it('shows a voucher for another ceiling', () =>
    afterOne(
      () => ({ voucher: ({ signature }) => ({ signedMaxClaimable: '900', signature }) }),
      'ERR_VOUCHER_INVENTED',
    ))

  it('holds a higher voucher than was signed here: somebody else has the key', async () => {
    await using stand = await Stand.open()
    await stand.chat()
    const channel = await stand.folder.channel()
    const terms = {
      globalId: stand.gateway.globalId,
      channel: Address.parseRaw(stand.gateway.address),
      ceiling: 5_000n,
    }
    stand.gateway.signature = signVoucher(await channel.key(), terms).toString('base64')
    stand.gateway.ceiling = 5_000n
    await stand.chat()
    expect(await stopped(stand)).toBe('ERR_OTHER_SIGNER')
  })

  it('charges for requests that were never made', async () => {
    await using stand = await Stand.open()
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 25n)
    stand.gateway.chargeFor('ab'.repeat(16), 5, 5_000)
    // Refused here or passed on: the gateway may notice first that there is no room.
    await stand.chat().catch(() => {})
    await expectStopped(stand, 'ERR_RECEIPT_FOREIGN')
  })

  it('charges a request twice', async () => {
    await using stand = await Stand.open()
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 25n)
    const [first] = stand.gateway.invoices
    if (!first) throw new Error('no receipt')
    for (let i = 0; i < 100; i++) stand.gateway.invoices.push(first)
    stand.gateway.charged += 2_500n
    await stand.chat().catch(() => {})
    await expectStopped(stand, 'ERR_RECEIPT_REPEATED')
  })

  it.each([
    [402, 0n],
    // The first one could be honest, after a loss of the state.
    [409, 15n],
  ] as const)(
    'does the work, answers %i so that it is asked again, and charges for each',
    async (refuseAll, verified) => {
      await using stand = await Stand.open()
      stand.gateway.lies = { refuseAll }
      await stand.chat().catch(() => undefined)
      await stand.sidecar.accounts.walk().catch((error) => stand.sidecar.accounts.stop(error))
      await expectStopped(stand, 'ERR_OVERCHARGED')
      expect(stand.sidecar.state.verified).toBe(verified)
    },
  )

  it('asks for payment to another wallet: nothing is signed for it', async () => {
    await using stand = await Stand.open()
    await stand.chat()
    const { params } = stand.gateway
    const honest = params.payee
    Object.assign(params, { payee: new Address(0, Buffer.alloc(32, 9)) })
    stand.gateway.reserve = 10_000n
    await expect(stand.chat()).rejects.toMatchObject({ status: 402, code: 'terms_differ' })
    Object.assign(params, { payee: honest })
  })
})
