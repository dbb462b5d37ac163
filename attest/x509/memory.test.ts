import { describe, expect, it } from 'vitest'
import { makeCertificate } from '../simulate/certificates.ts'
import { makePlatform, newKey } from '../simulate/platform.ts'
import { checkIssued } from './certificate.ts'
import { X509Error } from './der.ts'
import { allProven, Bounded, proveOnce } from './memory.ts'
import { encodePem, parseChain } from './pem.ts'

const NOW = Date.UTC(2026, 10, 22)

/** A check that a test ends by hand. */
function gate(): {
  run: () => Promise<void>
  pass: () => void
  fail: (reason: Error) => void
  runs: () => number
} {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let runs = 0
  const run = (): Promise<void> => {
    runs++
    return promise
  }
  return { run, pass: resolve, fail: reject, runs: () => runs }
}

describe('a proof', () => {
  it('runs once for all who ask while it runs, and not again after it passed', async () => {
    const [subject, signer] = [{}, {}]
    const check = gate()
    const all = [proveOnce(subject, signer, check.run), proveOnce(subject, signer, check.run)]
    check.pass()
    await Promise.all(all)
    await proveOnce(subject, signer, check.run)
    expect(check.runs()).toBe(1)
  })

  it('that failed is forgotten, for everyone who waited and who comes later', async () => {
    const [subject, signer] = [{}, {}]
    const check = gate()
    const all = [proveOnce(subject, signer, check.run), proveOnce(subject, signer, check.run)]
    check.fail(new X509Error('no'))
    for (const each of all) await expect(each).rejects.toThrow('no')
    await expect(proveOnce(subject, signer, check.run)).rejects.toThrow('no')
    expect(check.runs()).toBe(2)
    await proveOnce(subject, signer, async () => {})
  })

  it('of one pair says nothing of another', async () => {
    const [a, b] = [{}, {}]
    await proveOnce(a, b, async () => {})
    const no = async (): Promise<void> => {
      throw new X509Error('no')
    }
    for (const [subject, signer] of [
      [b, a],
      [a, a],
      [a, {}],
      [{}, b],
    ] as const)
      await expect(proveOnce(subject, signer, no)).rejects.toThrow('no')
  })
})

describe('checks side by side', () => {
  it('all pass, or fail with the first in order and not the first in time', async () => {
    const [slow, quick] = [gate(), gate()]
    await allProven([Promise.resolve(), Promise.resolve()])
    const both = allProven([slow.run(), quick.run()])
    quick.fail(new X509Error('second'))
    slow.fail(new X509Error('first'))
    await expect(both).rejects.toThrow('first')
  })
})

describe('equal certificates of different chains', () => {
  const { certificates, keys } = makePlatform(NOW)
  const { leaf, ca, root, tcb } = certificates

  it('are one object', () => {
    const [pck, signing] = [parseChain(encodePem([leaf, ca, root])), parseChain(encodePem([tcb, root]))]
    expect(pck[2]).toBe(signing[1])
  })

  it('lend their proofs to nothing that differs in a byte, nor to a look-alike', async () => {
    const [good, issuer] = parseChain(encodePem([leaf, ca, root]))
    if (good === undefined || issuer === undefined) throw new Error('no chain')
    await checkIssued(good, issuer)
    const forged = parseChain(encodePem([leaf.with(leaf.length - 1, (leaf.at(-1) ?? 0) ^ 1), ca, root]))[0]
    if (forged === undefined) throw new Error('no chain')
    await expect(checkIssued(forged, issuer)).rejects.toThrow('signature')
    const dates = { notBefore: NOW - 1000, notAfter: NOW + 1000 }
    const names = { subject: issuer.commonName, issuer: 'Simulated SGX Root CA' }
    const key = newKey()
    const other = makeCertificate({
      ...names,
      ...dates,
      subjectKey: key,
      issuerKey: keys.root,
      caPathLength: 0,
    })
    const [lookAlike] = parseChain(encodePem([other, root]))
    if (lookAlike === undefined) throw new Error('no chain')
    await expect(checkIssued(good, lookAlike)).rejects.toThrow('signature')
  })
})

describe('memory', () => {
  it('keeps what was used last and forgets nothing but the oldest', () => {
    const kept = new Bounded<string>(2)
    const make = (key: string): string => kept.get(key, () => `${key} ${made++}`)
    let made = 0
    const a = make('a')
    make('b')
    expect(make('a')).toBe(a)
    make('c')
    expect(make('a')).toBe(a)
    expect(made).toBe(3)
    make('b')
    expect(made).toBe(4)
    expect(() =>
      kept.get('bad', () => {
        throw new Error('no')
      }),
    ).toThrow('no')
  })
})
