/** The page: reads files that a person chose, judges them here and shows every factor. */

import {
  decodePolicy,
  type EvidenceParts,
  fromHex,
  type Policy,
  PRESETS,
  preset,
  type Verdict,
  verifyEvidence,
  verifyParts,
} from '../index.ts'
import { bundlesOf, readJson, unarmoured } from './input.ts'

const byId = <T extends HTMLElement>(id: string, type: new () => T): T => {
  const element = document.getElementById(id)
  if (!(element instanceof type)) throw new Error(`no ${id}`)
  return element
}
const fileOf = (id: string): File | undefined => byId(id, HTMLInputElement).files?.[0]
const textOf = (id: string): string => byId(id, HTMLInputElement).value.trim()
const result = byId('result', HTMLOutputElement)
const select = byId('preset', HTMLSelectElement)

for (const name of PRESETS) select.append(new Option(name, name))

byId('form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  judge().then(show, (error: unknown) => {
    result.replaceChildren(line('p', error instanceof Error ? error.message : String(error), 'refuse'))
  })
})

async function judge(): Promise<readonly { name: string; verdict: Verdict }[]> {
  const nonce = textOf('nonce') === '' ? undefined : hexOf('nonce')
  const now = timeOf(textOf('at'))
  const options = { policy: await policyOf(), now: () => now, ...(nonce && { nonce }) }
  const bundle = fileOf('bundle')
  if (bundle === undefined) {
    return [{ name: 'files', verdict: await verifyParts(await partsOf(), options) }]
  }
  const all = bundlesOf(readJson(await bytesOf(bundle), 'bundle'))
  return Promise.all(
    all.map(async ({ name, evidence }) => ({ name, verdict: await verifyEvidence(evidence, options) })),
  )
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

function show(judged: readonly { name: string; verdict: Verdict }[]): void {
  result.replaceChildren(...judged.flatMap(({ name, verdict }) => report(name, verdict)))
}

function report(name: string, { verdict, tee, tcbStatus, advisories, factors, maySkip }: Verdict): Node[] {
  const status = tcbStatus === undefined ? '' : `, TCB ${tcbStatus}`
  const listed = advisories.length === 0 ? '' : ` (${advisories.join(', ')})`
  const head = line(
    'p',
    `${name}: ${verdict === 'accept' ? 'accepted' : 'refused'}: ${tee}${status}${listed}`,
    verdict,
  )
  const table = document.createElement('table')
  for (const { name: factor, result: outcome, reason } of factors) {
    const row = table.insertRow()
    const forgiven = outcome === 'skip' && maySkip.includes(factor)
    row.className = outcome === 'skip' && !forgiven ? 'fail' : outcome
    for (const text of [factor, outcome, reason]) row.insertCell().textContent = text
  }
  return [head, table]
}

/** Evidence is an attacker's text: it becomes text of the page, never markup. */
function line(tag: string, text: string, className: string): HTMLElement {
  const element = document.createElement(tag)
  element.textContent = text
  element.className = className
  return element
}
