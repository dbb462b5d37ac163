/** The `attest` command: one verb each for making, judging and explaining evidence. */

import { ChrysalisError } from '../errors.ts'
import { printable } from '../inspect/text.ts'
import { EXIT, type VerbMain } from './command.ts'
import type { Io } from './io.ts'
import { codeOf, placeOf } from './process.ts'

/** Each verb is loaded only when called: `--help` must not load a verifier. */
const VERBS: Record<string, { summary: string; load: () => Promise<VerbMain> }> = {
  verify: {
    summary: 'judge evidence: a quote with its collateral, a bundle, or a gateway that runs (URL)',
    load: async () => (await import('./verify.ts')).verify,
  },
  inspect: {
    summary: 'explain any quote, bundle, collateral, log, report, token, receipt or policy; judges nothing',
    load: async () => (await import('./inspect.ts')).inspect,
  },
  policy: {
    summary: 'print a ready policy, or check a policy file and say in words what it demands',
    load: async () => (await import('./policy.ts')).policy,
  },
  'receipt verify': {
    summary: 'check what an enclave signed about one request',
    load: async () => (await import('./receipt.ts')).receiptVerify,
  },
  quote: {
    summary: 'make a quote or a whole bundle on this machine (a TDX guest, or --simulated)',
    load: async () => (await import('./quote.ts')).quote,
  },
  join: {
    summary: 'lend this machine to a gateway: check it, prove it, work, and watch',
    load: async () => (await import('./join.ts')).join,
  },
  simulate: {
    summary: 'write evidence of a simulated TEE, good or bad, with the verdict that it must get',
    load: async () => (await import('./simulate.ts')).simulate,
  },
  measure: {
    summary: 'compute what a TD will measure, from its firmware, kernel, command line and initrd',
    load: async () => (await import('./measure.ts')).measure,
  },
}

/** Words that begin a verb of two words. */
const GROUPS = new Set(Object.keys(VERBS).flatMap((name) => (name.includes(' ') ? [name.split(' ')[0]] : [])))

function usage(): string {
  const width = Math.max(...Object.keys(VERBS).map(({ length }) => length))
  return [
    'Usage: attest COMMAND [options]',
    '',
    'Proves what runs on a machine, and judges such proofs offline: TDX quotes, event logs, GPU reports, receipts.',
    '',
    ...Object.entries(VERBS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'attest COMMAND --help explains each. Exit status: 0 accepted or done, 1 refused, 2 unusable arguments.',
    "'attest' is: npm run --silent attest --",
    '',
  ].join('\n')
}

/** Runs one command and returns its exit status; nothing is thrown. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = argv
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    io.out(usage())
    return first === undefined ? EXIT.unusable : EXIT.accepted
  }
  const grouped = GROUPS.has(first)
  const name = grouped ? `${first} ${rest[0] ?? ''}`.trimEnd() : first
  const known = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (known === undefined) {
    if (grouped && rest.includes('--help')) io.out(usage())
    else io.err(`attest: there is no command '${printable(name, 60)}'\n\n${usage()}`)
    return grouped && rest.includes('--help') ? EXIT.accepted : EXIT.unusable
  }
  try {
    const run = await known.load()
    return await run(grouped ? rest.slice(1) : rest, io)
  } catch (error) {
    io.err(`${messageOf(error)}\n`)
    return EXIT.unusable
  }
}

/** A refusal of ours is a sentence for a person; of anything else only its code and its place in our code are told. */
function messageOf(error: unknown): string {
  if (error instanceof ChrysalisError) return printable(error.message, 2000)
  return `attest: a defect of this program (${codeOf(error)} at ${placeOf(error)}); please report it`
}
