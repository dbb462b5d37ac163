/** The page: reads files that a person chose, judges them here and shows every factor. */

import {
  cautions,
  decodePolicy,
  type EvidenceParts,
  faultsOf,
  fromBase64,
  fromHex,
  type GpuTools,
  judgeShown,
  type Policy,
  PRESETS,
  preset,
  readAnswer,
  refusalReasons,
  toHex,
  type Verdict,
  type VerifyOptions,
  verifyEvidence,
  verifyParts,
} from '../index.ts'
import { isAnswer, readJson, unarmoured } from './input.ts'

const byId = <T extends HTMLElement>(id: string, type: new () => T): T => {
  const element = document.getElementById(id)
  if (!(element instanceof type)) throw new Error(`no ${id}`)
  return element
}
const fileOf = (id: string): File | undefined => byId(id, HTMLInputElement).files?.[0]
const textOf = (id: string): string => byId(id, HTMLInputElement).value.trim()
const result = byId('result', HTMLOutputElement)
const select = byId('preset', HTMLSelectElement)

// As with the command, the strictest judges unless a person chooses another.
for (const name of PRESETS) select.append(new Option(name, name, name === 'strict', name === 'strict'))

byId('form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  judge().then(show, (error: unknown) => {
    result.replaceChildren(line('p', error instanceof Error ? error.message : String(error), 'refuse'))
  })
})

/** What was judged, each piece under its name, and what is wrong with the whole. */
interface Report {
  /** Without a verdict where the policy is not about the role. */
  shown: readonly { who: string; verdict?: Verdict }[]
  faults: readonly string[]
}

async function judge(): Promise<Report> {
  const nonce = textOf('nonce') === '' ? undefined : hexOf('nonce')
  const now = timeOf(textOf('at'))
  const options = {
    policy: await policyOf(),
    now: () => now,
    gpuTools: await toolsOf(),
    ...(nonce && { nonce }),
  }
  const bundle = fileOf('bundle')
  if (bundle === undefined) {
    return { shown: [{ who: 'files', verdict: await verifyParts(await partsOf(), options) }], faults: [] }
  }
  const json = readJson(await bytesOf(bundle), 'bundle')
  if (isAnswer(json)) return judgeAnswer(json, options)
  return { shown: [{ who: 'bundle', verdict: await verifyEvidence(json, options) }], faults: [] }
}

async function judgeAnswer(json: unknown, options: VerifyOptions): Promise<Report> {
  const answer = readAnswer(json)
  const role = byId('asked', HTMLSelectElement).value === 'worker' ? 'worker' : 'gateway'
  const shown = await judgeShown(answer.shown, options)
  const lacks = answer.lacks.map(({ text }) => `No evidence: ${text}`)
  return { shown, faults: [...answer.faults, ...faultsOf(shown, { role }), ...lacks] }
}

async function partsOf(): Promise<EvidenceParts> {
  const [quote, collateral, eventLog, gpu] = await Promise.all(
    ['quote', 'collateral', 'eventlog', 'gpu'].map(async (id) => {
      const file = fileOf(id)
      return file && (await bytesOf(file))
    }),
  )
  if (quote === undefined && gpu === undefined) throw new Error('Choose a bundle, a quote or GPU evidence.')
  return {
    ...(quote && { quote: unarmoured(quote) }),
    ...(collateral && { collateral: readJson(collateral, 'collateral') }),
    ...(eventLog && { eventLog }),
    ...(gpu && { gpu }),
  }
}

async function toolsOf(): Promise<GpuTools> {
  const rims = await Promise.all([...(byId('rims', HTMLInputElement).files ?? [])].map(bytesOf))
  const jwks = fileOf('jwks')
  return { rims, ...(jwks && { jwks: readJson(await bytesOf(jwks), 'file of keys') }) }
}

async function policyOf(): Promise<Policy> {
  const file = fileOf('policy')
  if (file !== undefined) return decodePolicy(await bytesOf(file))
  return preset(select.value, textOf('root') === '' ? undefined : textOf('root').toLowerCase())
}

function timeOf(text: string): number {
  const time = text === '' ? Date.now() : Date.parse(text)
  if (Number.isNaN(time)) throw new Error('Time: write it as 2026-06-09T00:00:00Z.')
  return time
}

function hexOf(id: string): Uint8Array {
  try {
    return fromHex(textOf(id).toLowerCase())
  } catch {
    throw new Error(`The ${id} is not hexadecimal.`)
  }
}

async function bytesOf(file: File): Promise<Uint8Array> {
  return new Uint8Array(await file.arrayBuffer())
}

function show({ shown, faults }: Report): void {
  const pieces = shown.flatMap(({ who, verdict }) =>
    verdict === undefined
      ? [line('p', `${who}: not judged, because the policy is not about its role`, 'refuse')]
      : report(who, verdict),
  )
  result.replaceChildren(...faults.map((text) => line('p', text, 'refuse')), ...pieces)
}

function report(name: string, given: Verdict): Node[] {
  const { verdict, tee, tcbStatus, advisories, factors, maySkip, claims, fields } = given
  const status = tcbStatus === undefined ? '' : `, TCB ${tcbStatus}`
  const listed = advisories.length === 0 ? '' : ` (${advisories.join(', ')})`
  const head = line(
    'p',
    `${name}: ${verdict === 'accept' ? 'accepted' : 'refused'}: ${tee}${status}${listed}`,
    verdict,
  )
  const table = document.createElement('table')
  const proven = [
    ['signs with', claims && toHex(fromBase64(claims.signingKey))],
    ...(claims?.models ?? []).map(({ id, sha256 }) => ['serves', `${id} ${sha256}`]),
    ['configuration', fields.configurationSha256],
    ['MRTD', fields.mrTd],
    ...(fields.rtmr ?? []).map((value, i) => [`RTMR${i}`, value]),
    ['REPORTDATA', fields.reportData],
  ]
  for (const [what, text] of proven) {
    if (text === undefined) continue
    const row = table.insertRow()
    for (const cell of [what ?? '', '', text]) row.insertCell().textContent = cell
  }
  for (const { name: factor, result: outcome, reason } of factors) {
    const row = table.insertRow()
    const forgiven = outcome === 'skip' && maySkip.includes(factor)
    row.className = outcome === 'skip' && !forgiven ? 'fail' : outcome
    for (const text of [factor, outcome, reason]) row.insertCell().textContent = text
  }
  const notes = verdict === 'accept' ? cautions(given) : refusalReasons(given)
  return [head, ...notes.map((text) => line('p', text, verdict === 'accept' ? 'caution' : 'refuse')), table]
}

/** Evidence is an attacker's text: it becomes text of the page, never markup. */
function line(tag: string, text: string, className: string): HTMLElement {
  const element = document.createElement(tag)
  element.textContent = text
  element.className = className
  return element
}
