import { describe, expect, test } from 'vitest'
import { fromBase64, toBase64 } from '../../attest/bytes.ts'
import { verifyEvidence } from '../../attest/evidence/index.ts'
import { simulatedWithoutLog } from '../../attest/evidence/testing.ts'
import { SimulatedTee } from '../../attest/simulate/index.ts'
import { CLOSE } from '../protocol/index.ts'
import { Harness } from '../testing/harness.ts'

const nonceOf = (fill: number) => new Uint8Array(32).fill(fill)
const ask = (ticket: number, fill = ticket) =>
  ({ type: 'attest-for', ticket, nonce: toBase64(nonceOf(fill)) }) as const

describe('evidence for a nonce that a gateway passes on', () => {
  test('is of this worker, of its newest epoch, over that nonce, and not signed for a join', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    peer.send(ask(1, 9))
    const answer = await peer.next('evidence-for')
    expect(Object.keys(answer).sort()).toEqual(['evidence', 'ticket', 'type'])
    const { clock, gateway, worker } = harness
    const policy = simulatedWithoutLog(gateway.tee.rootSha256)
    const { claims } = await verifyEvidence(answer.evidence, { policy, now: clock.now, nonce: nonceOf(9) })
    expect(claims).toMatchObject({ role: 'worker', bootId: worker.bootId, epoch: peer.claims?.epoch })
  })

  test('comes ten times at once and then one a second: the rest is told when', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    for (let ticket = 1; ticket <= 10; ticket++) {
      peer.send(ask(ticket))
      expect((await peer.next('evidence-for')).ticket).toBe(ticket)
    }
    peer.send(ask(11))
    const none = { type: 'no-evidence-for', ticket: 11, code: 'rate_limited', retryMs: 1_000 }
    expect(await peer.next('no-evidence-for')).toEqual(none)
    harness.clock.advance(1_000)
    peer.send(ask(12))
    expect((await peer.next('evidence-for')).ticket).toBe(12)
  })

  test('comes one at a time: a gateway that does not wait is cut off', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    peer.send(ask(1))
    peer.send(ask(2))
    expect(await peer.next('closed')).toMatchObject({ code: CLOSE.limit_exceeded })
  })

  test('that the TEE does not give, or that is too large, costs an answer and not the link', async () => {
    const tee = SimulatedTee.ephemeral({ now: () => 1_800_000_000_000 })
    let fault: 'none' | 'broken' | 'large' = 'none'
    await using harness = await Harness.open({
      worker: {
        tee: {
          kind: tee.kind,
          quote: (data) => (fault === 'broken' ? Promise.reject(new Error('no quote')) : tee.quote(data)),
          collateral: async () => {
            const collateral = await tee.collateral()
            return fault === 'large' ? { ...collateral, tcb_info: 'x'.repeat(1 << 20) } : collateral
          },
        },
      },
    })
    harness.gateway.workerPolicy = () => ({ ...simulatedWithoutLog(tee.rootSha256), roles: ['worker'] })
    const peer = await harness.joined()
    for (const [ticket, what, code] of [
      [1, 'broken', 'internal'],
      [2, 'large', 'too_large'],
    ] as const) {
      fault = what
      peer.send(ask(ticket))
      expect(await peer.next('no-evidence-for')).toMatchObject({ ticket, code })
    }
    fault = 'none'
    peer.send(ask(3))
    const { evidence } = await peer.next('evidence-for')
    expect(fromBase64(String(evidence.nonce))).toEqual(nonceOf(3))
  })
})
