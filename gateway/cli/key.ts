import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { formatTon, parseTon } from '../../contracts/amount.ts'
import { callControl } from '../control/index.ts'
import { readAccess } from './channel.ts'
import { parseSpan, parseTime } from './spans.ts'

const common = {
  data: z.string().min(1).default('./.chrysalis').describe('data folder of the running server'),
  json: z.boolean().default(false).describe('print JSON instead of a table'),
}

const limits = {
  perRequest: z.string().optional().describe('most TON that one request may cost; none takes the limit away'),
  perDay: z
    .string()
    .optional()
    .describe('most TON for the requests of one UTC day; none takes the limit away'),
  expires: z
    .string()
    .optional()
    .describe('when the key ends: a span like 30d, or a date like 2027-01-31; none takes the limit away'),
  models: z.string().optional().describe('models that it may use, in a comma-separated list; none: any'),
}

const verbs = {
  create: {
    summary: 'Make an API key. Its secret is printed here and never again: only a hash is stored.',
    schema: z.strictObject({
      ...common,
      name: z.string().min(1).default('unnamed').describe('what people call it'),
      channel: z
        .string()
        .optional()
        .describe('address of the channel it draws on; default: the newest that the gateway signs for'),
      ...limits,
    }),
  },
  list: { summary: 'List the API keys and what each has spent today.', schema: z.strictObject(common) },
  limits: {
    summary: 'Change limits of an API key; those that are not named stay. chrysalis key limits ID [options]',
    schema: z.strictObject({ ...common, ...limits }),
  },
  rotate: {
    summary:
      'Give an API key a new secret; limits and what it has spent stay. The new secret is printed here and never again. chrysalis key rotate ID [options]',
    schema: z.strictObject({
      ...common,
      grace: z.string().default('24h').describe('how long the old secret still works; 0 after a leak'),
    }),
  },
  revoke: {
    summary: 'End an API key, at once and for good. chrysalis key revoke ID',
    schema: z.strictObject(common),
  },
} as const

type Verb = keyof typeof verbs

/** A key as the control plane reports it; amounts are nanotons in decimal. */
interface KeyReport {
  id: string
  name: string
  channel: string
  limits: { perRequest?: string; perDay?: string; expiresAt?: number; models?: string[] }
  createdAt: number
  revokedAt: number | null
  spentToday: string
}

interface Answer {
  keys?: KeyReport[]
  key?: KeyReport
  secret?: string
  /** What else a person has to know of what was done. */
  note?: string
}

const USAGE = `Usage: chrysalis key VERB [options]

API keys of the running server (folder --data, default ./.chrysalis). A program that has one spends what is deposited on
the server's channel, within the limits of the key:
  create    make one, and print its secret this once
  list      all of them, with their limits and what each has spent today
  limits    change them: per request, per day, expiry, models
  rotate    give one a new secret; the old one works for a while longer, or not at all
  revoke    end one, at once and for good

chrysalis key VERB --help explains each.
`

/** `chrysalis key create|list|limits|rotate|revoke`: asks the running server through its control plane. */
export async function key([name, ...argv]: string[]): Promise<void> {
  if (name === '--help' || name === '-h') {
    process.stdout.write(USAGE)
    return
  }
  const verb = Object.keys(verbs).find((candidate) => candidate === name) as Verb | undefined
  if (!verb) {
    const known = Object.keys(verbs).join(', ')
    throw new ConfigError(`chrysalis key: say one of ${known}${name ? `, not '${name}'` : ''}`)
  }
  const { id, rest } = takeId(verb, argv)
  const { summary, schema } = verbs[verb]
  const config = loadConfig(
    { name: `chrysalis key ${verb}`, summary, schema },
    { argv: rest, env: process.env },
  )
  const answer = (await callControl(readAccess(config.data), `key/${verb}`, {
    ...(id !== undefined && { id }),
    ...inputOf(config),
  })) as Answer
  process.stdout.write(config.json ? `${JSON.stringify(answer)}\n` : describe(answer))
}

/** The key that a verb is about comes right behind it. */
function takeId(verb: Verb, argv: string[]): { id?: string; rest: string[] } {
  if (verb !== 'limits' && verb !== 'rotate' && verb !== 'revoke') return { rest: argv }
  const [id, ...rest] = argv
  if (id === '--help' || id === '-h') return { rest: argv }
  if (id === undefined || id.startsWith('-')) {
    throw new ConfigError(`chrysalis key ${verb}: say which key: chrysalis key ${verb} key_…`)
  }
  return { id, rest }
}

/** What the options of any verb say, as the control plane takes it. */
function inputOf(config: Partial<Record<string, unknown>>): Record<string, unknown> {
  const { name, channel, perRequest, perDay, expires, models, grace } = config as Record<
    string,
    string | undefined
  >
  const or = <T>(text: string | undefined, read: (text: string) => T) =>
    text === undefined ? undefined : text === 'none' ? null : read(text)
  const input = {
    name,
    channel,
    perRequest: or(perRequest, (text) => parseTon(text).toString()),
    perDay: or(perDay, (text) => parseTon(text).toString()),
    expiresAt: or(expires, (text) => parseTime('--expires', text, Date.now())),
    models: or(models, (text) => text.split(',')),
    graceMs: grace === undefined ? undefined : parseSpan('--grace', grace),
  }
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
}

function describe({ keys, key: one, secret, note }: Answer): string {
  const shown = (keys ?? (one ? [one] : [])).map(lines).join('')
  const more = note === undefined ? '' : `\n${note}\n`
  if (secret === undefined) return shown === '' ? 'There are no API keys.\n' : shown + more
  // One that is kept in a file is shown again at every start.
  return `${shown}\n${secret}\n${more || '\nThis is the only time that the secret is shown.\n'}`
}

function lines({ id, name, channel, limits, createdAt, revokedAt, spentToday }: KeyReport): string {
  const date = (time: number) => new Date(time).toISOString()
  const { perRequest, perDay, expiresAt, models } = limits
  const rows = {
    channel,
    created: date(createdAt),
    'per request': perRequest === undefined ? 'no limit' : `${formatTon(BigInt(perRequest))} TON`,
    'per day': perDay === undefined ? 'no limit' : `${formatTon(BigInt(perDay))} TON`,
    today: `${formatTon(BigInt(spentToday))} TON`,
    expires: expiresAt === undefined ? 'never' : date(expiresAt),
    models: models?.join(', ') ?? 'any',
  }
  const state = revokedAt === null ? '' : ` (revoked ${date(revokedAt)})`
  const body = Object.entries(rows).map(([what, value]) => `  ${what.padEnd(12)} ${value}\n`)
  return `${id} ${name}${state}\n${body.join('')}`
}
