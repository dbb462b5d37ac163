import { describe, expect, it } from 'vitest'
import { toHex } from '../bytes.ts'
import { verifyParts } from '../evidence/verify.ts'
import { accepted } from '../policy/factors.ts'
import { platform } from '../policy/presets.ts'
import { parseQuote } from './quote.ts'
import { parseTcbInfo } from './tcb.ts'
import { haveVectors, type VectorCase, type VectorMutation, vectorBytes, vectorJson } from './testing.ts'
import { type QuoteVerdict, verifyQuote } from './verify.ts'

const there = haveVectors()
const index = there
  ? vectorJson<{ cases: VectorCase[]; mutations: VectorMutation[] }>('tdx/index.json')
  : { cases: [], mutations: [] }
const policy = platform()

/** What each refusal must be refused for: a refusal for another reason would prove nothing. */
const REASONS: Record<string, readonly string[]> = {
  'gcp_cos113_v4.bin': ['tcb.status', 'tcb.advisories'],
  'phala_v4.bin': ['tcb.status', 'tcb.advisories'],
  'trustee_v4_DEBUG_TD.bin': ['td.debug'],
  'alibaba_v5_td15_mrservicetd.bin': ['tcb.status', 'tcb.advisories', 'td.service'],
  'azure_v5_td15.bin': ['tcb.status'],
  'google_spr_e4_v4.bin': ['quote.format'],
  'sgx_v3_NOT_TDX.bin': ['quote.format', 'collateral.format'],
  'sgx_v3_debug_enclave.bin': ['quote.format', 'collateral.format'],
}

function failures({ factors }: QuoteVerdict): string[] {
  return factors.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

async function judge(
  test: VectorCase,
  change: (quote: Uint8Array) => void = () => {},
): Promise<QuoteVerdict> {
  const quote = vectorBytes(test.quote)
  change(quote)
  return verifyQuote(quote, vectorJson(test.collateral), { policy, now: test.unix * 1000 })
}

describe.skipIf(!there)('real quotes', () => {
  it.each(index.cases.map((test) => [`${test.quote} at ${test.unix}: ${test.why}`, test] as const))(
    '%s',
    async (_name, test) => {
      const verdict = await judge(test)
      const file = test.quote.slice(test.quote.lastIndexOf('/') + 1)
      const ok = accepted(verdict.factors, policy.skip)
      expect(ok ? 'accept' : 'refuse').toBe(test.expected)
      expect(failures(verdict)).toEqual(test.expected === 'accept' ? [] : REASONS[file])
      if (test.tcbStatus !== null) expect(verdict.tcbStatus).toBe(test.tcbStatus)
      if (test.details !== undefined) {
        expect(verdict.advisories).toEqual(test.details.advisories)
        expect(verdict.platform?.fmspc).toBe(test.details.fmspc)
      }
    },
  )

  it.each(
    index.cases.flatMap(({ quote, fields }) =>
      fields === undefined || quote.includes('google_spr_e4') ? [] : [[quote, fields] as const],
    ),
  )('%s parses to its known fields', (path, fields) => {
    const { version, body } = parseQuote(vectorBytes(path))
    expect({
      version,
      body: body.kind,
      tee_tcb_svn: toHex(body.teeTcbSvn),
      mrseam: toHex(body.mrSeam),
      td_attributes: toHex(body.tdAttributes),
      xfam: toHex(body.xfam),
      mrtd: toHex(body.mrTd),
      rtmr: body.rtmr.map(toHex),
      report_data: toHex(body.reportData),
    }).toEqual(fields)
  })

  it('refuses a real quote that is followed by anything but zeros', () => {
    expect(() => parseQuote(vectorBytes('tdx/quotes/google_spr_e4_v4.bin'))).toThrow('padding')
  })

  it.each(['cctrusted_v4', 'oasis_v4', 'trustee_v4_module2', 'trustee_v5_td15'])('%s parses', (name) => {
    const bytes = vectorBytes(`tdx/quotes/${name}.bin`)
    expect(parseQuote(bytes).length).toBeLessThanOrEqual(bytes.length)
  })

  it('get the same verdict as files, which is what the command judges', async () => {
    for (const test of index.cases) {
      const parts = { quote: vectorBytes(test.quote), collateral: vectorJson(test.collateral) }
      const verdict = await verifyParts(parts, { policy, now: () => test.unix * 1000 })
      expect(verdict.verdict, `${test.quote} at ${test.unix}`).toBe(test.expected)
      if (test.tcbStatus !== null) expect(verdict.tcbStatus).toBe(test.tcbStatus)
    }
  })

  it('keep the order of their levels: Intel lists them as its verifier sorts them', () => {
    for (const { collateral, quote } of index.cases.filter((test) => !test.collateral.includes('sgx_'))) {
      const { tcb_info } = vectorJson<{ tcb_info: string }>(collateral)
      const { tcbLevels, tdxModuleIdentities } = parseTcbInfo(tcb_info)
      const given = JSON.parse(tcb_info)
      const dates = (levels: { tcbDate: string | number }[]) =>
        levels.map(({ tcbDate }) => Number(new Date(tcbDate)))
      expect(dates(tcbLevels), quote).toEqual(dates(given.tcbLevels))
      for (const [i, module] of tdxModuleIdentities.entries())
        expect(dates(module.tcbLevels)).toEqual(dates(given.tdxModuleIdentities[i].tcbLevels))
    }
  })

  it.each(index.mutations.map((mutation) => [mutation.name, mutation] as const))(
    '%s is refused',
    async (_n, m) => {
      const test = index.cases.find(({ quote, expected }) => quote === m.base && expected === 'accept')
      if (test === undefined) throw new Error('no case for this mutation')
      const verdict = await judge(test, (quote) => {
        quote[m.offset] = (quote[m.offset] ?? 0) ^ m.xor
      })
      expect(accepted(verdict.factors, policy.skip)).toBe(false)
    },
  )

  it('refuses collateral before its time, after it, of another platform and of another day’s lists', async () => {
    const [test] = index.cases
    if (test === undefined) throw new Error('no cases')
    const collateral = vectorJson<Record<string, string>>(test.collateral)
    const other = vectorJson<Record<string, string>>('tdx/collateral/b0c06f_2025-06-19.json')
    const at = (days: number, changed: Record<string, string> = collateral): Promise<QuoteVerdict> =>
      verifyQuote(vectorBytes(test.quote), changed, { policy, now: (test.unix + days * 86_400) * 1000 })
    expect(failures(await at(-2))).toEqual(['collateral.fresh'])
    expect(failures(await at(30))).toEqual(['collateral.fresh'])
    expect(failures(await at(0, { ...collateral, pck_crl: other.pck_crl ?? '' }))).toEqual([
      'collateral.fresh',
    ])
    const { tcb_info = '', tcb_info_signature = '', tcb_info_issuer_chain = '' } = other
    const swapped = await at(0, { ...collateral, tcb_info, tcb_info_signature, tcb_info_issuer_chain })
    expect(failures(swapped)).toEqual(['collateral.fresh', 'platform.match', 'tcb.evaluation-floor'])
  })

  it('does not take Intel’s chain under a simulated anchor', async () => {
    const [test] = index.cases
    if (test === undefined) throw new Error('no cases')
    const [root] = policy.roots
    const lying = { ...policy, roots: [{ sha256: root?.sha256 ?? '', kind: 'simulated' as const }] }
    const verdict = await verifyQuote(vectorBytes(test.quote), vectorJson(test.collateral), {
      policy: lying,
      now: test.unix * 1000,
    })
    expect(failures(verdict)).toEqual(['pck.chain', 'tcbinfo.signature', 'qeidentity.signature'])
  })

  it.runIf(process.env.CHRYSALIS_FLIPS === 'all')(
    'no changed byte goes unnoticed',
    { timeout: 600_000 },
    async () => {
      for (const test of index.cases.filter(({ expected }) => expected === 'accept').slice(0, 5)) {
        const collateral = vectorJson(test.collateral)
        const quote = vectorBytes(test.quote)
        for (let at = 0; at < quote.length; at++) {
          const changed = quote.with(at, (quote[at] ?? 0) ^ (at % 2 === 0 ? 0x01 : 0x20))
          const { factors } = await verifyQuote(changed, collateral, { policy, now: test.unix * 1000 })
          if (accepted(factors, policy.skip)) throw new Error(`${test.quote}: byte ${at} changed unnoticed`)
        }
      }
    },
  )
})
