/** `chrysalis registry show`: what a registry holds, for those who rely on it and those who decide. */

import { z } from 'zod'
import { codeOf } from '../../attest/cli/process.ts'
import { formatTon } from '../../contracts/amount.ts'
import {
  describeStep,
  type Entry,
  GRACE_SECONDS,
  moment,
  type RegistryState,
  type Step,
  span,
  stepToJson,
} from '../../contracts/index.ts'
import { versionOf } from './registry-send.ts'
import { load, reach, registrySettings, say, shown } from './registry-settings.ts'

/** `chrysalis registry show` */
export async function show(argv: string[]): Promise<void> {
  const summary =
    'Show what a registry holds: version and pin, end, entries, revocations, owners, what is coming and when.\n' +
    'It shows what the chain has, be it expired; those who rely on it refuse more (registry and pin of gateway and worker).'
  const json = z.boolean().default(false).describe('print JSON; prices are nanotons per million tokens')
  const { config } = load(
    { verb: 'show', names: [], summary, schema: z.strictObject({ ...registrySettings, json }) },
    argv,
  )
  const { chain, client } = await reach(config)
  const [state, now] = [await client.state(), await chain.now()]
  const { globalId } = chain
  if (config.json)
    return say(
      JSON.stringify({ registry: client.registry.address.toRawString(), globalId, ...asJson(state) }),
    )
  say(`registry ${shown(client, chain)} on network ${globalId}`, ...describe(state, now))
}

const TABLES = ['measurements', 'models', 'gateways'] as const

function entriesOf({ snapshot }: RegistryState, table: (typeof TABLES)[number]): Entry[] {
  return [...snapshot.tables[table]].map(([key, value]) => ({ table, key, value }))
}

/** A step as JSON; an entry that says nothing to readers as the bytes that it has. */
function readable(step: Step): object {
  try {
    return stepToJson(step)
  } catch {
    return step.kind === 'put'
      ? { unreadable: step.entry.value.toBoc().toString('base64'), key: step.entry.key }
      : {}
  }
}

function asJson(state: RegistryState) {
  const { snapshot, governance, balance } = state
  const { tables: _, revoked, ...head } = snapshot
  const { threshold, delaySeconds, epoch, proposals } = governance
  const entries = TABLES.map((table) => [
    table,
    entriesOf(state, table).map((entry) => ({
      key: entry.key,
      ...withoutDo(readable({ kind: 'put', entry })),
    })),
  ])
  return {
    ...head,
    pin: `${head.version}:${head.hash}`,
    ...Object.fromEntries(entries),
    revoked: Object.fromEntries(revoked),
    ...{ threshold, delaySeconds, epoch, nextProposal: proposals },
    owners: [...governance.owners].map(([number, { key, acts }]) => ({
      number,
      key: key.toString('hex'),
      acts,
    })),
    coming: [...governance.pending].map(([number, { notBefore, steps }]) => ({
      ...{ number, notBefore, until: notBefore + GRACE_SECONDS },
      steps: steps.map(readable),
    })),
    balance: balance.toString(),
  }
}

function withoutDo({ do: _, ...rest }: { do?: unknown }): object {
  return rest
}

function describe(state: RegistryState, now: number): string[] {
  const { snapshot, governance, balance } = state
  const { threshold, delaySeconds, owners, pending } = governance
  const lines = [versionOf(state)]
  if (now >= snapshot.expiresAt) lines.push('EXPIRED: nobody relies on it until its owners renew it')
  lines.push(
    `policy version ${snapshot.policyVersion}; software from ${snapshot.minSoftware} on`,
    `rent: ${formatTon(balance)} TON are there`,
    '',
    `${threshold} of ${owners.size} owners decide; widening changes wait ${span(delaySeconds)}; proposals so far: ${governance.proposals - 1}`,
    ...[...owners].map(
      ([number, { key, acts }]) => `  owner ${number}  ${key.toString('hex')}, acted alone ${acts} times`,
    ),
  )
  for (const table of TABLES) lines.push('', ...describeTable(state, table))
  lines.push('', `revoked: ${snapshot.revoked.size || 'nothing'}`)
  for (const [key, at] of snapshot.revoked) lines.push(`  ${key}  ${moment(at)}`)
  lines.push('', `coming: ${pending.size || 'nothing'}`)
  for (const [number, { notBefore, steps }] of pending) {
    const last = notBefore + GRACE_SECONDS
    const when =
      now < notBefore ? `from ${moment(notBefore)} on` : now > last ? 'LAPSED' : 'can be carried out now'
    lines.push(`  proposal ${number}, ${when}, until ${moment(last)}`)
    lines.push(...steps.flatMap((step) => inWords(step).map((line) => `    ${line}`)))
  }
  return lines
}

function describeTable(state: RegistryState, table: (typeof TABLES)[number]): string[] {
  const entries = entriesOf(state, table)
  const lines = [`${table}: ${entries.length || 'none'}`]
  for (const entry of entries) {
    const [first = '', ...rest] = inWords({ kind: 'put', entry })
    const revoked = state.snapshot.revoked.has(entry.key) ? 'REVOKED: ' : ''
    lines.push(`  ${revoked}${first}`, ...rest.map((line) => `  ${line}`))
  }
  return lines
}

function inWords(step: Step): string[] {
  try {
    return describeStep(step)
  } catch (error) {
    const key = step.kind === 'put' ? step.entry.key : ''
    return [`CANNOT BE READ (${codeOf(error)}): ${key}; readers refuse the registry until it is removed`]
  }
}
