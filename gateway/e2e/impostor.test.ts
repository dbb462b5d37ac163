import { expect, it, onTestFinished } from 'vitest'
import { toHex } from '../../attest/bytes.ts'
import { verifyEvidence } from '../../attest/evidence/index.ts'
import { simulatedWithoutLog } from '../../attest/evidence/testing.ts'
import { Gate } from '../../worker/engine/testing/scripted.ts'
import type { AttestationAnswer } from '../../worker/protocol/index.ts'
import { GATEWAY_ID } from '../../worker/testing/fake-gateway.ts'
import { Harness } from '../../worker/testing/harness.ts'
import { serveFace } from '../api/testing/face.ts'
import { AttestationDesk } from '../attestations.ts'
import { createIdentity } from '../identity.ts'

/** The evidence of a genuine gateway of that name as everybody gets it: `GET /v1/attestation` on a real socket. */
async function genuineGateway({ clock, gateway: { tee } }: Harness) {
  const identity = await createIdentity({
    tee,
    software: { version: '0', commit: 'test' },
    registry: { globalId: 0, address: '' },
    payoutAddress: GATEWAY_ID,
    now: clock.now,
    monotonic: clock.monotonic,
  })
  onTestFinished(() => identity.close())
  const log = { info: () => {}, warn: () => {} }
  const { monotonic } = clock
  const desk = new AttestationDesk({ identity, sources: () => [], perMinute: 60, monotonic, log })
  const face = await serveFace(() => Promise.reject(new Error('must not be dispatched')), {
    attestation: desk,
  })
  onTestFinished(() => face.close())
  return async (nonce: Uint8Array): Promise<Record<string, unknown>> => {
    const response = await fetch(`${face.url}/v1/attestation?nonce=${toHex(nonce)}`)
    const { gateway } = (await response.json()) as AttestationAnswer
    return { ...gateway }
  }
}

it('an impostor with the fresh evidence of a genuine gateway gets no worker, and makes it forget no receipt', async () => {
  const gate = new Gate()
  await using harness = await Harness.open({ engine: { script: () => ['a', 'b', gate, 'c'] } })
  const { gateway, clock } = harness

  // Work for a gateway of that name, part of which it can be held to: its link is lost before anything acknowledges it.
  const first = await harness.joined()
  const reader = await first.request()
  await reader.read(() => reader.text === 'ab')
  await gate.reached
  clock.advance(1_000)
  await reader.read(() => reader.receipts.length === 1)
  const { requestId } = reader.sealed.ctx
  first.ws.terminate()
  await (await harness.engine.run(0)).settled
  await clock.timerWithin(125)
  clock.advance(125)

  const own = gateway.evidence
  const fetchEvidence = await genuineGateway(harness)
  const shown: { nonce: Uint8Array; evidence: Record<string, unknown> }[] = []
  gateway.evidence = async (nonce) => {
    const evidence = await fetchEvidence(nonce)
    shown.push({ nonce, evidence })
    return evidence
  }
  const impostor = await gateway.connection()
  const welcomed = impostor.welcome()
  welcomed.catch(() => {})
  // Straight behind the welcome, so that it is read as soon as that is believed.
  const { send } = impostor
  impostor.send = (message) => {
    send.call(impostor, message)
    if (message.type === 'welcome') send.call(impostor, { type: 'ack', requestIds: [requestId] })
  }
  await expect(welcomed).rejects.toThrow(/"code":4403/)
  expect(harness.lost).toEqual(['peer_closed', 'ERR_GATEWAY_SIGNATURE'])

  // What it showed was nothing less than a genuine gateway's evidence over this worker's nonce.
  const policy = { ...simulatedWithoutLog(gateway.tee.rootSha256), roles: ['gateway' as const] }
  expect(shown).toHaveLength(1)
  for (const { nonce, evidence } of shown) {
    expect((await verifyEvidence(evidence, { policy, now: clock.now, nonce })).verdict).toBe('accept')
  }

  // The gateway itself, back again, is told of the receipt.
  gateway.evidence = own
  await clock.timerWithin(500)
  clock.advance(500)
  const again = await (await gateway.connection()).welcome()
  expect(again.held.map((receipt) => receipt.requestId)).toEqual([requestId])
})
