/** What bench/verify.ts measures: quotes that both verifiers accept, and how to ask each of the two. */

import { createRequire } from 'node:module'
import { simulatedWithoutLog } from '../evidence/testing.ts'
import { accepted } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { platform } from '../policy/presets.ts'
import { SimulatedTee } from '../simulate/index.ts'
import { type Collateral, verifyQuote } from '../tdx/index.ts'
import { haveVectors, type VectorCase, vectorBytes, vectorJson } from '../tdx/testing.ts'

/** A quote, and what a verifier needs beside it. */
export interface Case {
  quote: Uint8Array
  collateral: Collateral
  /** ms */ now: number
  policy: Policy
  /** The root certificate (DER) when it is not Intel's. */
  root?: Uint8Array
}

/** Judges a case. Throws when the verdict is not acceptance: refusals would be quicker. */
export type Verify = (test: Case) => Promise<void>

/** This project's verifyQuote. */
export const ours: Verify = async ({ quote, collateral, policy, now }) => {
  const { factors } = await verifyQuote(quote, collateral, { policy, now })
  if (accepted(factors, policy.skip)) return
  throw new Error(`ours refused: ${factors.find(({ result }) => result === 'fail')?.reason}`)
}

/** @phala/dcap-qvl, loaded now. It throws on what it refuses. */
export function loadTheirs(): Verify {
  const { QuoteVerifier } = createRequire(import.meta.url)(
    '@phala/dcap-qvl',
  ) as typeof import('@phala/dcap-qvl')
  return async ({ quote, collateral, now, root }) => {
    const verifier = root ? QuoteVerifier.newWithRootCa(Buffer.from(root)) : QuoteVerifier.newProd()
    const { status } = verifier.verify(quote, collateral, Math.floor(now / 1000))
    if (status !== 'UpToDate') throw new Error(`theirs says ${status}`)
  }
}

/** Real quotes that are to be accepted, each with its own collateral and clock; none where the vectors are not. */
export function realCases(): Case[] {
  if (!haveVectors()) return []
  const { cases } = vectorJson<{ cases: VectorCase[] }>('tdx/index.json')
  return cases
    .filter(({ expected }) => expected === 'accept')
    .map(({ quote, collateral, unix }) => ({
      quote: vectorBytes(quote),
      collateral: vectorJson<Collateral>(collateral),
      now: unix * 1000,
      policy: platform(),
    }))
}

/** Which of these cases all of the verifiers accept: where one refuses, there is nothing to compare. */
export async function acceptedByAll(cases: readonly Case[], verifiers: readonly Verify[]): Promise<number[]> {
  const indexes: number[] = []
  for (const [index, test] of cases.entries()) {
    const all = await Promise.allSettled(verifiers.map((verify) => verify(test)))
    if (all.every(({ status }) => status === 'fulfilled')) indexes.push(index)
  }
  return indexes
}

/** Quotes of one simulated platform, each over other report data. */
export async function simulatedCases(count: number, now = Date.now()): Promise<Case[]> {
  const tee = SimulatedTee.ephemeral({ now: () => now })
  const collateral = await tee.collateral()
  const policy = simulatedWithoutLog(tee.rootSha256)
  const cases: Case[] = []
  for (let i = 0; i < count; i++) {
    const reportData = new Uint8Array(64)
    new DataView(reportData.buffer).setUint32(0, i)
    const quote = await tee.quote(reportData)
    cases.push({ quote, collateral, now, policy, root: tee.platform.certificates.root })
  }
  return cases
}

/** As many simulated platforms, each with a root, certificates and collateral of its own: nothing can be remembered. */
export async function newPlatforms(count: number): Promise<Case[]> {
  const cases = await Promise.all(Array.from({ length: count }, () => simulatedCases(1)))
  return cases.flat()
}
