/** `attest join`: lends this machine to a gateway. */

import { stat } from 'node:fs/promises'
import { join as joinPath } from 'node:path'
import { printable } from '../inspect/text.ts'
import { ArgumentError, EXIT, type Given, type VerbMain, verb } from './command.ts'
import { unreadable } from './files.ts'
import { type Io, pathOf } from './io.ts'
import { cureOf } from './join-cures.ts'
import { followJson, followText, type JoinView } from './join-view.ts'
import { type Owner, readOwner } from './owner.ts'
import { type Check, failed, preflight } from './preflight.ts'
import { startWorker, WORKER_MAIN } from './worker-process.ts'

const FLAGS = {
  gateway: { value: 'URL', about: 'the gateway to work for: http://host:port or ws://host:port/link' },
  owner: {
    value: 'ADDRESS',
    about: 'your TON address, where what is earned goes; any form. Bound once to --data',
  },
  model: { value: 'FILE', about: 'the GGUF file to serve' },
  'model-id': { value: 'ID', about: 'the name that clients call the model by' },
  gpu: { value: 'auto|cuda|off', about: 'where the model computes; off (the CPU) when absent' },
  data: { value: 'DIR', about: 'folder of keys and receipts, for one worker; .chrysalis when absent' },
  'gateway-policy': { value: 'NAME|FILE', about: "what the gateway's own evidence has to meet" },
  'gateway-root': { value: 'HEX', about: 'root of a simulated gateway; this installation’s own when absent' },
  'chain-url': { value: 'URL', about: 'the TON network of the gateway, to check the channel that pays you' },
  'chain-token-file': { value: 'FILE', about: 'with --chain-url: file that holds the token for it' },
  'tee-dir': {
    value: 'DIR',
    about: 'with --simulated: the folder of the gateway’s simulated TEE; tee/ in --data when absent',
  },
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
    'A gateway that pays does so through a channel on its TON network: --chain-url is where to check that.',
    'In a TDX guest --gateway-policy says which gateways are worth working for.',
    '',
    'Exit status: 0 ended as asked, 1 a check failed, the first join was refused or the worker gave up,',
    '2 unusable arguments. After a first join every refusal and every loss is followed by another attempt.',
    '',
    'Example:',
    '  attest join --gateway https://gateway.example --model model.gguf --gateway-policy gateway.json \\',
    '    --chain-url http://127.0.0.1:9000 --chain-token-file token \\',
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
  // A worker would make a new TEE in an empty folder, which no gateway knows.
  if (given['tee-dir'] !== undefined)
    await requireFile('--tee-dir', joinPath(given['tee-dir'], 'root.der'), io)
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
  if (plan !== undefined) checks.push(...checkTerms(given))
  view.checks(checks)
  if (checks.some(failed)) return EXIT.refused
  if (plan === undefined) return EXIT.accepted
  return await work(plan, view, { main, now: io.now })
}

/** What to start, and for whom. */
interface Plan {
  /** Of the gateway's HTTP face. */
  gateway: URL
  owner: Owner
  flags: string[]
  /** Whether a network to check the channel on was named. */
  chainNamed: boolean
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
  checkCompany(given)
  const optional: [string, string | undefined][] = [
    ['--model-id', given['model-id']],
    ['--gpu', given.gpu],
    ['--gateway-policy', given['gateway-policy']],
    ['--gateway-root', given['gateway-root']],
    ['--chain-url', given['chain-url']],
    ['--chain-token-file', given['chain-token-file'] && pathOf(io, given['chain-token-file'])],
    ['--tee-dir', given['tee-dir'] && pathOf(io, given['tee-dir'])],
    ['--config', given.config && pathOf(io, given.config)],
  ]
  const flags = [
    ['--gateway-url', link.href],
    ['--owner-address', payee.friendly],
    ['--model', pathOf(io, model)],
    ['--data', pathOf(io, given.data ?? '.chrysalis')],
    ['--tee', given.simulated ? 'simulated' : 'tdx'],
    ['--log-level', 'error'],
    ...optional,
  ].flatMap(([name = '', value]) => (value === undefined ? [] : [`${name}=${value}`]))
  const face = new URL(link)
  face.protocol = link.protocol === 'wss:' ? 'https:' : 'http:'
  face.pathname = '/'
  return { gateway: face, owner: payee, flags, chainNamed: given['chain-url'] !== undefined }
}

/** Flags that go with one another. */
function checkCompany(given: JoinFlags): void {
  if (given['tee-dir'] !== undefined && !given.simulated)
    throw new ArgumentError('--tee-dir: goes with --simulated')
  if (given.config !== undefined) return
  if ((given['chain-url'] === undefined) !== (given['chain-token-file'] === undefined))
    throw new ArgumentError(
      '--chain-url and --chain-token-file: go together; the gateway’s operator has both',
    )
}

/** What the worker will need to be told; a --config file may say it too, which is for the worker to read. */
function checkTerms(given: JoinFlags): Check[] {
  if (given.config !== undefined) return []
  const terms: Check[] = []
  if (!given.simulated && given['gateway-policy'] === undefined && given['gateway-root'] === undefined) {
    const text = 'nothing says what the gateway has to prove to this machine'
    terms.push({
      name: 'policy',
      result: 'fail',
      text,
      cure: 'Make a file (attest policy strict-no-gpu), pin measurements in it, and name it: --gateway-policy FILE',
    })
  }
  if (given['chain-url'] === undefined) {
    const text = 'no TON network is named, so a gateway that pays will be turned down'
    const cure = 'Ask its operator for both: --chain-url URL --chain-token-file FILE'
    terms.push({ name: 'payment', result: 'warn', text, cure })
  }
  return terms
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

/** npm passes on the SIGINT that a terminal also sent to us: what comes within this time is the same Ctrl-C, ms. */
const SAME_SIGNAL = 1_000

interface Surroundings {
  main: URL
  now: () => number
}

async function work(
  { flags, owner, chainNamed }: Plan,
  view: JoinView,
  around: Surroundings,
): Promise<number> {
  view.note(`paid at ${owner.raw}`)
  let joined = false
  let refused = false
  let askedAt: number | undefined
  const worker = startWorker(around.main, flags, (status) => {
    joined ||= status.state === 'ready'
    // It is on its way out, and was told why.
    if (refused && status.state !== 'stopped') return
    const cure = status.state === 'refused' ? cureOf(status, chainNamed) : undefined
    view.status(cure === undefined ? status : { ...status, cure })
    // Where a person has to do something first, trying again only hides it; a worker that has joined once waits.
    if (joined || cure === undefined || askedAt !== undefined) return
    refused = true
    worker.stop()
  })
  const stop = (): void => {
    const at = around.now()
    if (askedAt !== undefined && at - askedAt < SAME_SIGNAL) return
    const first = askedAt === undefined
    askedAt ??= at
    view.note(first ? 'finishing what has begun; Ctrl-C once more ends at once' : 'ending at once')
    worker.stop()
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const status = await worker.ended
  process.off('SIGINT', stop).off('SIGTERM', stop)
  view.end()
  if (refused) return EXIT.refused
  if (askedAt !== undefined) return EXIT.accepted
  // A worker's own word for unusable settings is 2 as well; whatever else ended it unasked is a failure.
  if (status === EXIT.unusable) return EXIT.unusable
  view.note(`the worker ended with status ${status}; what it said is above`)
  return EXIT.refused
}
