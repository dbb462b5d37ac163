/**
 * Asks a server what runs there, over a nonce that was never used before, and judges every bundle of the answer:
 *   CHRYSALIS_URL=http://127.0.0.1:8787/v1 CHRYSALIS_TEE=.chrysalis/tee npx node examples/attestation.ts
 * The policy here trusts the simulated TEE whose root lies in the folder CHRYSALIS_TEE. For hardware take a policy that
 * pins what you expect: strict(…) or a file by `attest policy`.
 */
import { randomBytes } from 'node:crypto'
import {
  fromBase64,
  refusalReasons,
  simulated,
  simulatedRoot,
  toHex,
  verifyEvidence,
} from '../attest/index.ts'
import type { AttestationAnswer } from '../worker/protocol/index.ts'

const { CHRYSALIS_URL = 'http://127.0.0.1:8787/v1', CHRYSALIS_TEE = '.chrysalis/tee' } = process.env

const nonce = new Uint8Array(randomBytes(32))
const response = await fetch(`${CHRYSALIS_URL}/attestation?nonce=${toHex(nonce)}`)
if (!response.ok) throw new Error(`the server answered ${response.status}: ${await response.text()}`)
const { gateway, workers, errors } = (await response.json()) as AttestationAnswer

const policy = simulated(await simulatedRoot(CHRYSALIS_TEE))
const keys = new Set<string>()
/**
 * What a role shows has to be accepted for that role: a worker cannot stand in for its gateway. A worker goes by its
 * signing key, and nobody counts twice.
 */
async function judge(evidence: unknown, role: 'gateway' | 'worker', id?: string): Promise<void> {
  const verdict = await verifyEvidence(evidence, {
    policy: { ...policy, roles: [role] },
    now: Date.now,
    nonce,
  })
  const { models = [], software } = verdict.claims ?? {}
  console.log(
    verdict.verdict,
    role,
    software?.version ?? '',
    ...models.map(({ id, sha256 }) => `${id} ${sha256}`),
  )
  for (const reason of refusalReasons(verdict)) console.log(`  ${reason}`)
  if (verdict.verdict !== 'accept') process.exitCode = 1
  const key = verdict.claims && toHex(fromBase64(verdict.claims.signingKey))
  if (key === undefined) return
  if (keys.has(key) || (id !== undefined && id !== key)) {
    console.log(`  shown as ${id ?? role}, but its key is ${key}, or it is there twice`)
    process.exitCode = 1
  }
  keys.add(key)
}

await judge(gateway, 'gateway')
for (const { id, evidence } of workers) await judge(evidence, 'worker', id)
for (const { worker, message } of errors) {
  console.log('no evidence of', worker ?? 'the gateway', message)
  process.exitCode = 1
}
