import { expect, it } from 'vitest'
import { toHex } from '../../attest/bytes.ts'
import type { RegistryView } from '../../attest/policy/index.ts'
import { parseQuote } from '../../attest/tdx/quote.ts'
import { registersOf } from '../../attest/tdx/registers.ts'
import { ContractsError } from '../../contracts/errors.ts'
import { Gate } from '../engine/testing/scripted.ts'
import { CLOSE } from '../protocol/index.ts'
import { GATEWAY_ID } from '../testing/fake-gateway.ts'
import { Harness } from '../testing/harness.ts'

/** A worker that follows a registry, joined to a gateway that is in it, with a request that has begun. */
async function serving() {
  const gate = new Gate()
  const lost = Promise.withResolvers<string>()
  let registry: () => RegistryView = () => expect.fail('nothing is asked before the join')
  const harness = await Harness.open({
    engine: { script: () => ['a', gate, 'b'] },
    link: { registry: () => registry(), onLost: lost.resolve },
  })
  const { gateway, clock } = harness
  const name = { globalId: -77, address: `0:${'ee'.repeat(32)}` }
  gateway.forge = (claims) => ({ ...claims, registry: name, software: { version: '1.0.0', commit: 'test' } })
  const { mrTd, rtmr } = registersOf(parseQuote(await gateway.tee.quote(new Uint8Array(64))).body)
  const [zero = '', one = '', two = ''] = rtmr
  const view: RegistryView = {
    ...{ ...name, version: 1, hash: toHex(new Uint8Array(32)), minSoftware: '0.0.0' },
    expiresAt: clock.now() / 1000 + 86_400,
    measurements: [{ roles: ['gateway'], set: { mrTd, rtmr: [zero, one, two, null] } }],
    ...{ models: [], gateways: [GATEWAY_ID.slice(2)], revoked: [] },
  }
  registry = () => view
  const peer = await harness.joined()
  const reader = await peer.request()
  await reader.read(() => reader.text === 'a')
  const says = (next: () => RegistryView) => {
    registry = next
    harness.link.reconsider()
  }
  return { harness, peer, reader, gate, view, says, lost: lost.promise }
}

it('a gateway that the registry still allows keeps its worker', async () => {
  const { harness, reader, gate, view, says } = await serving()
  await using _ = harness
  says(() => ({ ...view, version: 2, models: [{ id: 'another', sha256: '00'.repeat(32) }] }))
  gate.open()
  expect((await reader.read()).final?.status).toBe(200)
  expect(harness.link.joined).toBe(true)
})

it('one that it no longer allows is left at once, with what runs', async () => {
  const { harness, peer, view, says, lost } = await serving()
  await using _ = harness
  says(() => ({ ...view, version: 2, gateways: [] }))
  expect(await peer.next('closed')).toMatchObject({ code: CLOSE.refused })
  expect(await lost).toBe('ERR_GATEWAY_EVIDENCE')
})

it('while nothing of it can be relied on, what runs is finished and nothing new is begun', async () => {
  const { harness, peer, reader, gate, says } = await serving()
  await using _ = harness
  says(() => {
    throw new ContractsError('ERR_REGISTRY_STALE', 'registry: not read for 900 s')
  })
  await peer.next('draining')
  expect((await (await peer.request()).read()).hint).toBe('draining')
  gate.open()
  expect((await reader.read()).final?.status).toBe(200)
  expect(await peer.next('closed')).toMatchObject({ code: CLOSE.going_away })
  expect(harness.logged.some(({ fields }) => fields.code === 'ERR_REGISTRY_STALE')).toBe(true)
})
