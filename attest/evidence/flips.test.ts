/** Change any byte of evidence and it is refused: over a whole quote, and over a whole bundle as it travels. */

import { describe, expect, it } from 'vitest'
import { fromBase64, fromUtf8, utf8 } from '../bytes.ts'
import { accepted } from '../policy/factors.ts'
import { verifyQuote } from '../tdx/verify.ts'
import { NONCE, NOW, sampleEvidence, sampleTee, simulatedWithoutLog } from './testing.ts'
import { verifyEvidence } from './verify.ts'

// Each position gets one mask by turns: single bits, letter case, all bits. CHRYSALIS_FLIPS=all tries every mask.
const MASKS = [0x01, 0x20, 0x80, 0xff, 0x04, 0x10, 0x02, 0x40, 0x08]
const every = process.env.CHRYSALIS_FLIPS === 'all'

/** Positions and masks at which `detected` did not notice the change. */
async function undetected(
  bytes: Uint8Array,
  detected: (changed: Uint8Array) => Promise<boolean>,
  except = { from: 0, to: 0 },
): Promise<string[]> {
  const missed: string[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < bytes.length; at = next++) {
      if (at >= except.from && at < except.to) continue
      for (const mask of every ? MASKS : [MASKS[at % MASKS.length] ?? 1]) {
        const changed = bytes.with(at, (bytes[at] ?? 0) ^ mask)
        if (!(await detected(changed))) missed.push(`byte ${at} xor ${mask}`)
      }
    }
  }
  // A few at a time: signatures are verified off this thread.
  await Promise.all(Array.from({ length: 4 }, work))
  return missed
}

describe('byte flips', () => {
  const tee = sampleTee()
  const policy = simulatedWithoutLog(tee.rootSha256)
  const timeout = every ? 1_800_000 : 120_000

  it('none goes unnoticed in a quote with padding', { timeout }, async () => {
    const bundle = await sampleEvidence(tee)
    const quote = fromBase64(bundle.quote)
    const padded = new Uint8Array(quote.length + 70)
    padded.set(quote)
    const refused = async (changed: Uint8Array): Promise<boolean> => {
      const { factors } = await verifyQuote(changed, bundle.collateral, { policy, now: NOW })
      return !accepted(factors, policy.skip)
    }
    expect(await refused(padded)).toBe(false)
    expect(await undetected(padded, refused)).toEqual([])
  })

  it('none goes unnoticed in a bundle with its claims and collateral', { timeout }, async () => {
    const refused = async (changed: Uint8Array): Promise<boolean> => {
      let bundle: unknown
      try {
        bundle = JSON.parse(fromUtf8(changed))
      } catch {
        return true
      }
      const { verdict } = await verifyEvidence(bundle, { policy, now: () => NOW, nonce: NONCE })
      return verdict === 'refuse'
    }
    const bundle = await sampleEvidence(tee)
    const text = JSON.stringify(bundle)
    // The quote's own bytes are the other test's.
    const from = text.indexOf(bundle.quote) + 8
    const except = { from, to: from + bundle.quote.length - 16 }
    expect(await refused(utf8(text))).toBe(false)
    expect(await undetected(utf8(text), refused, except)).toEqual([])
  })
})
