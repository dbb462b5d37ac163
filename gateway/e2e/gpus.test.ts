import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  failedFactors,
  type Policy,
  simulated,
  simulatedGpuPolicy,
  simulatedGpuRoots,
  simulatedRoot,
  verifyEvidence,
} from '../../attest/index.ts'
import { EVENTLOG_FACTORS, GPU_FACTORS } from '../../attest/policy/index.ts'
import type { AttestationAnswer } from '../../worker/protocol/index.ts'
import { bodyOf, cleanUp, type Stack, startStack } from './stack.ts'

let stack: Stack
let answer: AttestationAnswer
let policy: Policy
const nonce = new Uint8Array(randomBytes(32))

beforeAll(async () => {
  stack = await startStack({ args: ['--simulate-gpus', '2'] })
  const url = `${stack.origin}/v1/attestation?nonce=${Buffer.from(nonce).toString('hex')}`
  answer = await bodyOf<AttestationAnswer>(await fetch(url))
  const folder = join(stack.dir, 'tee')
  const base = simulated(await simulatedRoot(folder))
  const gpu = simulatedGpuPolicy(await simulatedGpuRoots(folder))
  const skip: Policy['skip'] = [...base.skip, 'gpu.driver', 'gpu.vbios', 'gpu.eat', 'gpu.ocsp']
  policy = { ...base, gpu: { ...gpu, required: true }, skip }
})
afterAll(cleanUp)

const judge = (evidence: unknown, demanded = policy) =>
  verifyEvidence(evidence, { policy: demanded, now: Date.now, nonce })

describe('a server with two simulated GPUs', () => {
  it('shows a stranger evidence that holds, of each process by itself', async () => {
    expect(answer.errors).toEqual([])
    for (const evidence of [answer.gateway, answer.workers[0]?.evidence]) {
      expect(failedFactors(await judge(evidence))).toEqual([])
    }
  })

  it('has both GPUs in the claims of its worker, and each gpu.* factor judged', async () => {
    const { claims, factors } = await judge(answer.workers[0]?.evidence)
    expect(claims?.accelerators).toHaveLength(2)
    expect(new Set(claims?.accelerators.map(({ deviceId }) => deviceId)).size).toBe(2)
    const results = new Map(factors.map(({ name, result }) => [name, result]))
    const open = new Set(['gpu.driver', 'gpu.vbios', 'gpu.eat', 'gpu.ocsp', 'gpu.switch'])
    for (const name of GPU_FACTORS)
      if (!open.has(name)) expect([name, results.get(name)]).toEqual([name, 'pass'])
    expect(results.get('gpu.switch')).toBe('not-applicable')
  })

  it('measures software, configuration and model into RTMR3, as its claims say', async () => {
    for (const evidence of [answer.gateway, answer.workers[0]?.evidence]) {
      const { factors } = await judge(evidence)
      const judged = factors.filter(({ name }) => (EVENTLOG_FACTORS as readonly string[]).includes(name))
      expect(judged.map(({ result }) => result)).toEqual(EVENTLOG_FACTORS.map(() => 'pass'))
      const log = Buffer.from(evidence?.eventLog ?? '', 'base64').toString()
      const { events } = JSON.parse(log) as { events: { name: string; payload: string }[] }
      const configuration = events.find(({ name }) => name === 'chrysalis.configuration')
      const text = Buffer.from(configuration?.payload ?? '', 'base64').toString()
      expect(JSON.parse(text)).toMatchObject({ logLevel: 'warn' })
      // Nothing of this machine, and no secret.
      for (const word of [stack.dir, stack.ready.apiKey, '127.0.0.1']) expect(text).not.toContain(word)
    }
  })

  it('says that the embedding table is in guest memory all the same, which a policy has to forgive by name', async () => {
    const evidence = answer.workers[0]?.evidence
    expect((await judge(evidence)).claims?.embedding).toBe('cpu')
    const skip = policy.skip.filter((name) => name !== 'sidechannel.token-access')
    expect(failedFactors(await judge(evidence, { ...policy, skip }))).toEqual(['sidechannel.token-access'])
  })

  it('cannot strip the GPUs from its evidence, nor pass with other roots', async () => {
    const evidence = answer.workers[0]?.evidence
    const { gpu: _, ...stripped } = evidence ?? {}
    expect(failedFactors(await judge(stripped))).toEqual(
      expect.arrayContaining(['reportdata.binding', 'gpu.complete']),
    )
    const roots = [{ sha256: '00'.repeat(32), kind: 'simulated' as const }]
    const other = policy.gpu && { ...policy, gpu: { ...policy.gpu, roots } }
    expect(failedFactors(await judge(evidence, other))).toContain('gpu.chain')
  })

  it('answers', async () => {
    const { choices } = await stack.sdk.chat.completions.create({
      model: stack.ready.models[0] ?? '',
      messages: [{ role: 'user', content: 'hello' }],
    })
    expect(choices[0]?.message.content).toBeTruthy()
  })
})
