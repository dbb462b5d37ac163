/** `attest join`: lends this machine to a gateway. */

import { stat } from 'node:fs/promises'
import { printable } from '../inspect/text.ts'
import { ArgumentError, EXIT, type Given, type VerbMain, verb } from './command.ts'
import { unreadable } from './files.ts'
import { type Io, pathOf } from './io.ts'
import { followJson, followText, type JoinView } from './join-view.ts'
import { type Owner, readOwner } from './owner.ts'
import { failed, preflight } from './preflight.ts'
import { startWorker, WORKER_MAIN } from './worker-process.ts'

const FLAGS = {
  gateway: { value: 'URL', about: 'the gateway to work for: http://host:port or ws://host:port/link' },
  owner: { value: 'ADDRESS', about: 'your TON address, where the work is paid; any form' },
  model: { value: 'FILE', about: 'the GGUF file to serve' },
  'model-id': { value: 'ID', about: 'the name that clients call the model by' },
  gpu: { value: 'auto|cuda|off', about: 'where the model computes; off (the CPU) when absent' },
  data: { value: 'DIR', about: 'folder of keys and receipts; .chrysalis when absent' },
  'gateway-policy': { value: 'NAME|FILE', about: "what the gateway's own evidence has to meet" },
  'gateway-root': { value: 'HEX', about: 'root of a simulated gateway; this installation’s own when absent' },
  'chain-url': { value: 'URL', about: 'the TON network of the gateway, to check the channel that pays you' },
  'chain-token-file': { value: 'FILE', about: 'with --chain-url: file that holds the token for it' },
  config: { value: 'FILE', about: 'further settings of the worker, as its --config takes them' },
  simulated: { about: 'on a machine without TDX: simulate it. Protects nobody; for trials alone' },
  check: { about: 'check the machine and stop' },
  json: { about: 'print a JSON line for the checks and for each change of status' },
} as const
type JoinFlags = Given<typeof FLAGS>

const HELP = {
  name: 'join',
  usage: ['--gateway URL --owner ADDRESS --model FILE [options]', '--check [--model FILE] [--simulated]'],
  summary:
    'Checks this machine, each failure with its cure; then measures what will run, attests it to the gateway, joins,\nand shows how the work goes. Ctrl-C finishes what has begun and ends; once more ends at once.',
  flags: FLAGS,
  notes: [
    'Exit status: 0 ended as asked, 1 a check failed or the worker gave up, 2 unusable arguments.',
    '',
    'Example:',
    '  attest join --gateway http://127.0.0.1:8787 --model model.gguf --simulated \\',
    '    --owner EQAHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHB8Jh',
  ],
} as const

/** The verb, with the program that does the work. */
export function joinWith(main: URL): VerbMain {
  return verb(HELP, (given, _operands, io) => run(given, io, main))
}

export const join = joinWith(WORKER_MAIN)

async function run(given: JoinFlags, io: Io, main: URL): Promise<number> {
  const view = given.json ? followJson(io) : followText(io)
  const plan = given.check ? undefined : readPlan(given, io)
  if (given.model !== undefined) await requireFile('--model', given.model, io)
  if (given.simulated)
    view.note('SIMULATED: nothing here keeps the owner of this machine out; for trials alone.')
  for (const warning of plan?.owner.warnings ?? []) view.warn(`--owner: ${warning}`)
  const checks = await preflight({
    simulated: given.simulated,
    gpu: given.gpu !== undefined && given.gpu !== 'off',
    data: pathOf(io, given.data ?? '.chrysalis'),
    now: io.now,
    ...(given.model !== undefined && { model: pathOf(io, given.model) }),
    ...(plan && { gateway: plan.gateway }),
  })
  view.checks(checks)
  if (checks.some(failed)) return EXIT.refused
  if (plan === undefined) return EXIT.accepted
  return await work(plan, view, main)
}

/** What to start, and for whom. */
interface Plan {
  /** Of the gateway's HTTP face. */
  gateway: URL
  owner: Owner
  flags: string[]
}

function readPlan(given: JoinFlags, io: Io): Plan {
  const { gateway, owner, model } = given
  const missing = (['gateway', 'owner', 'model'] as const).find((name) => given[name] === undefined)
  if (gateway === undefined || owner === undefined || model === undefined)
    throw new ArgumentError(`--${missing}: is missing; see attest join --help`)
  if (given.gpu !== undefined && !['auto', 'cuda', 'off'].includes(given.gpu))
    throw new ArgumentError(`--gpu ${printable(given.gpu, 40)}: expected auto, cuda or off`)
  const link = readGateway(gateway)
  const payee = readOwner('--owner', owner)
  const optional: [string, string | undefined][] = [
    ['--model-id', given['model-id']],
    ['--gpu', given.gpu],
    ['--gateway-policy', given['gateway-policy']],
    ['--gateway-root', given['gateway-root']],
    ['--chain-url', given['chain-url']],
    ['--chain-token-file', given['chain-token-file'] && pathOf(io, given['chain-token-file'])],
    ['--config', given.config && pathOf(io, given.config)],
  ]
  const flags = [
    ['--gateway-url', link.href],
    ['--payout-address', payee.raw],
    ['--model', pathOf(io, model)],
    ['--data', pathOf(io, given.data ?? '.chrysalis')],
    ['--tee', given.simulated ? 'simulated' : 'tdx'],
    ['--log-level', 'error'],
    ...optional,
  ].flatMap(([name = '', value]) => (value === undefined ? [] : [`${name}=${value}`]))
  const face = new URL(link)
  face.protocol = link.protocol === 'wss:' ? 'https:' : 'http:'
  face.pathname = '/'
  return { gateway: face, owner: payee, flags }
}

/** The address of the link, from any address of the gateway that a person has at hand. */
function readGateway(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const scheme = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' }[url?.protocol ?? '']
  const known = url !== undefined && /^\/(v1\/?|link)?$/.test(url.pathname) && !url.search && !url.hash
  if (url === undefined || scheme === undefined || !known || url.username || url.password)
    throw new ArgumentError(`--gateway ${printable(text, 200)}: is no gateway; write http://host:port`)
  return new URL(`${scheme}//${url.host}/link`)
}

async function requireFile(flag: string, path: string, io: Io): Promise<void> {
  const found = await stat(pathOf(io, path)).catch((error: unknown) => {
    throw new ArgumentError(`${flag} ${printable(path)}: ${unreadable(error)}`, { cause: error })
  })
  if (!found.isFile()) throw new ArgumentError(`${flag} ${printable(path)}: is no file`)
}

async function work({ flags, owner }: Plan, view: JoinView, main: URL): Promise<number> {
  view.note(`paid at ${owner.raw}`)
  const worker = startWorker(main, flags, view.status)
  let asked = false
  const stop = (): void => {
    view.note(asked ? 'ending at once' : 'finishing what has begun; Ctrl-C once more ends at once')
    asked = true
    worker.stop()
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const status = await worker.ended
  process.off('SIGINT', stop).off('SIGTERM', stop)
  view.end()
  // A worker's own word for unusable settings is 2 as well; whatever else ended it unasked is a failure.
  if (asked || status === EXIT.unusable) return asked ? EXIT.accepted : EXIT.unusable
  view.note(`the worker ended with status ${status}; what it said is above`)
  return EXIT.refused
}
