import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromHex, toBase64, toHex } from '../bytes.ts'
import {
  NONCE,
  NOW,
  sampleClaims,
  sampleEvidence,
  sampleTee,
  simulatedWithoutLog,
} from '../evidence/testing.ts'
import type { Verdict } from '../evidence/verdict.ts'
import { type EvidenceParts, verifyEvidence, verifyParts } from '../evidence/verify.ts'
import { deviceOf, documentOf, GPU_NOW, gpuCases } from '../gpu/testing.ts'
import { encodePolicy, FACTORS, type FactorName, type Policy, platform } from '../policy/index.ts'
import { SimulatedGpus, simulatedGpuPolicy } from '../simulate/gpu.ts'
import { SimulatedTee } from '../simulate/tee.ts'
import { haveVectors, type VectorCase, type VectorMutation, vectorBytes, vectorJson } from '../tdx/testing.ts'
import { writeBrowserFiles } from './bundle.ts'
import type * as Attest from './index.ts'
import { chromiumPath, launch } from './testing.ts'

const executable = chromiumPath()
const real = haveVectors()
const GPU_ALONE: readonly FactorName[] = ['gpu.format', 'gpu.chain', 'gpu.signature', 'gpu.nonce']

const HTML = `<!doctype html><script type="module">
import * as attest from './attest.js'
globalThis.attest = attest
</script>`

/** What crosses into the browser: bytes as base64. */
type Wire = { [K in keyof EvidenceParts]?: unknown }

describe.skipIf(executable === undefined)('in Chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chrysalis-browser-'))
  let browser: Browser
  let page: Page
  const requests: string[] = []

  beforeAll(async () => {
    await writeBrowserFiles(folder)
    browser = await launch(executable ?? '')
    const context = await browser.newContext()
    page = await context.newPage()
    page.on('request', (request) => requests.push(request.url()))
    // A page of its own that imports the bundle: file URLs may not import each other.
    await page.route('https://bundle.test/**', (route) => {
      const script = route.request().url().endsWith('.js')
      return script
        ? route.fulfill({ path: join(folder, 'attest.js'), contentType: 'text/javascript' })
        : route.fulfill({ body: HTML, contentType: 'text/html' })
    })
    await page.goto('https://bundle.test/')
  })

  afterAll(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** The verdict on files as the bundle in the browser gives it. */
  async function inBrowser(parts: Wire, policy: Policy, now: number, nonce?: string): Promise<Verdict> {
    return page.evaluate(
      ({ parts, policy, now, nonce }) => {
        const { attest } = globalThis as unknown as { attest: typeof Attest }
        const bytes = (text: unknown) => (typeof text === 'string' ? attest.fromBase64(text) : text)
        const options = { policy, now: () => now, ...(nonce && { nonce: attest.fromHex(nonce) }) }
        if ('bundle' in parts) return attest.verifyEvidence(parts.bundle, options)
        const opened = Object.fromEntries(Object.entries(parts).map(([key, value]) => [key, bytes(value)]))
        return attest.verifyParts(opened, options)
      },
      { parts, policy, now, nonce },
    )
  }

  const plain = (verdict: Verdict): unknown => JSON.parse(JSON.stringify(verdict, (_key, value) => value))

  const index = real
    ? vectorJson<{ cases: VectorCase[]; mutations: VectorMutation[] }>('tdx/index.json')
    : { cases: [], mutations: [] }

  it.skipIf(!real)('judges every real quote, mutated ones too, exactly as Node does', async () => {
    const policy = platform()
    const base = (file: string) =>
      index.cases.find(({ quote, expected }) => quote === file && expected === 'accept')
    const mutated = index.mutations.map(({ base: file, offset, xor }) => {
      const quote = vectorBytes(file)
      return { test: base(file), quote: quote.with(offset, (quote[offset] ?? 0) ^ xor), expected: 'refuse' }
    })
    const cases = index.cases.map((test) => ({
      test,
      quote: vectorBytes(test.quote),
      expected: test.expected,
    }))
    for (const { test, quote, expected } of [...cases, ...mutated]) {
      if (test === undefined) throw new Error('no case for a mutation')
      const collateral = vectorJson(test.collateral)
      const now = test.unix * 1000
      const here = await verifyParts({ quote, collateral }, { policy, now: () => now })
      const there = await inBrowser({ quote: toBase64(quote), collateral }, policy, now)
      expect(there).toEqual(plain(here))
      expect(there.verdict, test.why).toBe(expected)
    }
  })

  it.skipIf(!real)('judges every real GPU report exactly as Node does', async () => {
    // Reports alone: nothing of the quote, no reference measurements, and firmware ids where there are any.
    const policy = { ...platform(), skip: FACTORS.filter((name) => !GPU_ALONE.includes(name)) }
    for (const entry of gpuCases()) {
      const gpu = documentOf(deviceOf(entry))
      const nonce = fromHex(entry.nonce)
      const here = await verifyParts({ gpu }, { policy, now: () => GPU_NOW, nonce })
      const there = await inBrowser({ gpu: toBase64(gpu) }, policy, GPU_NOW, entry.nonce)
      expect(there).toEqual(plain(here))
      expect(there.verdict, entry.name).toBe(entry.expected)
    }
  })

  it('judges a bundle as Node does, accepted and refused', async () => {
    const gpus = SimulatedGpus.ephemeral({ now: () => NOW, count: 2, eat: true })
    const tee = SimulatedTee.ephemeral({ now: () => NOW, gpus })
    const policy = { ...simulatedWithoutLog(tee.rootSha256), gpu: simulatedGpuPolicy(gpus.roots) }
    const bundle = await sampleEvidence(tee, sampleClaims({ accelerators: [...gpus.accelerators] }))
    const wrong = { ...bundle, nonce: toBase64(new Uint8Array(32)) }
    for (const [each, verdict] of [
      [bundle, 'accept'],
      [wrong, 'refuse'],
    ] as const) {
      const there = await inBrowser({ bundle: each } as Wire, policy, NOW, toHex(NONCE))
      const here = await verifyEvidence(each, { policy, now: () => NOW, nonce: NONCE })
      expect(there.verdict).toBe(verdict)
      expect(there.factors).toEqual(here.factors)
      expect(there.claims).toEqual(here.claims)
    }
  })

  it('the page judges files that a person chooses, offline, and fetches nothing', async () => {
    const tee = sampleTee()
    const bundle = await sampleEvidence(tee)
    const paths = { bundle: join(folder, 'bundle.json'), policy: join(folder, 'policy.json') }
    writeFileSync(paths.bundle, JSON.stringify(bundle))
    writeFileSync(paths.policy, encodePolicy(simulatedWithoutLog(tee.rootSha256)))
    await page.context().setOffline(true)
    requests.length = 0
    const file = pathToFileURL(join(folder, 'verify.html')).href
    await page.goto(file)
    await page.locator('#bundle').setInputFiles(paths.bundle)
    expect(await page.locator('#preset').inputValue()).toBe('strict')
    await page.locator('#policy').setInputFiles(paths.policy)
    await page.locator('#nonce').fill(toHex(NONCE))
    await page.locator('#at').fill(new Date(NOW).toISOString())
    await page.locator('button').click()
    await page.locator('#result p.accept').waitFor()
    await page.getByText('SIMULATED: whoever has its folder can forge this').waitFor()
    expect(await page.locator('#result tr').count()).toBeGreaterThan(45)
    await page.locator('#nonce').fill('00'.repeat(32))
    await page.locator('button').click()
    await page.getByText('evidence.freshness: made for another nonce').waitFor()
    expect(await page.locator('#result tr.fail td:first-child').allInnerTexts()).toEqual([
      'evidence.freshness',
    ])
    // The answer of a gateway that shows a worker in its own place, under a name that is not the worker's.
    const answer = {
      object: 'chrysalis.attestation',
      gateway: bundle,
      workers: [{ id: 'x', evidence: bundle }],
      errors: [],
    }
    writeFileSync(paths.bundle, JSON.stringify(answer))
    await page.locator('#bundle').setInputFiles(paths.bundle)
    await page.locator('#nonce').fill(toHex(NONCE))
    await page.locator('button').click()
    await page.getByText('its evidence is that of another').waitFor()
    expect(await page.locator('#result tr.fail td:first-child').allInnerTexts()).toEqual(['role.expected'])
    await page.locator('#nonce').fill('no hex')
    await page.locator('button').click()
    await page.getByText('The nonce is not hexadecimal.').waitFor()
    expect(requests).toEqual([file])
  })
})
