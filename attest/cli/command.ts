/** Verbs of the `attest` command: their flags, their help, and arguments that nobody can read in two ways. */

import { parseArgs } from 'node:util'
import { ChrysalisError } from '../errors.ts'
import type { Io } from './io.ts'

/** Exit statuses. Anything that could not be judged is `unusable`, never `refused` and never `accepted`. */
export const EXIT = { accepted: 0, refused: 1, unusable: 2 } as const

/** Arguments that cannot be used: the message names the flag, what is wrong with it, and the cure. */
export class ArgumentError extends ChrysalisError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_ARGUMENT', message, options)
  }
}

/** A flag: with `value`, which is its name in the help, it takes one; without, it is a switch. */
export interface Flag {
  value?: string
  about: string
}
export type Flags = Readonly<Record<string, Flag>>

/** What a person needs to know of a verb. */
interface VerbHelp<F extends Flags> {
  name: string
  /** What follows `attest NAME`, one line for each way to use it. */
  usage: readonly string[]
  summary: string
  flags: F
  /** How many words may stand beside the flags; none when absent. */
  operands?: number
  /** Printed after the flags. */
  notes?: readonly string[]
}

/** What was given: text for flags with a value, true or false for switches. */
export type Given<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends { value: string } ? string | undefined : boolean
}

export type Run<F extends Flags> = (
  given: Given<F>,
  operands: readonly string[],
  io: Io,
) => number | Promise<number>

/** A verb as the frame calls it: arguments in, exit status out. */
export type VerbMain = (argv: readonly string[], io: Io) => Promise<number>

/** Joins help and work: `--help` prints the one, all else is checked and given to the other. */
export function verb<const F extends Flags>(help: VerbHelp<F>, run: Run<F>): VerbMain {
  return async (argv, io) => {
    // Before anything is checked: whoever asks for help has not got the rest right yet.
    if (argv.includes('--help') || argv.includes('-h')) {
      io.out(helpText(help))
      return EXIT.accepted
    }
    const { given, operands } = readArguments(help, argv)
    return await run(given, operands, io)
  }
}

/** @throws ArgumentError for an unknown or repeated flag, a missing or superfluous value, a stray word */
export function readArguments<F extends Flags>(
  help: VerbHelp<F>,
  argv: readonly string[],
): { given: Given<F>; operands: readonly string[] } {
  const see = `see attest ${help.name} --help`
  const options = Object.fromEntries(
    Object.entries(help.flags).map(([name, { value }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true })
  const given: Record<string, string | boolean | undefined> = Object.fromEntries(
    Object.entries(help.flags).map(([name, { value }]) => [name, value === undefined ? false : undefined]),
  )
  const seen = new Set<string>()
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      operands.push(token.value)
      continue
    }
    const flag = Object.hasOwn(help.flags, token.name) ? help.flags[token.name] : undefined
    if (flag === undefined || !token.rawName.startsWith('--'))
      throw new ArgumentError(`attest ${help.name}: there is no flag ${token.rawName}; ${see}`)
    if (seen.has(token.name)) throw new ArgumentError(`${token.rawName}: given twice; say it once`)
    seen.add(token.name)
    given[token.name] = readValue(token, flag, see)
  }
  const stray = operands[help.operands ?? 0]
  if (stray !== undefined)
    throw new ArgumentError(`attest ${help.name}: '${stray}' is one argument too many; ${see}`)
  return { given: given as Given<F>, operands }
}

interface OptionToken {
  rawName: string
  value?: string | undefined
  inlineValue?: boolean | undefined
}

function readValue({ rawName, value, inlineValue }: OptionToken, flag: Flag, see: string): string | true {
  if (flag.value === undefined) {
    if (value === undefined) return true
    throw new ArgumentError(`${rawName}: is a switch and takes no value; ${see}`)
  }
  // `--quote --json` is a forgotten file, not a file of that name.
  const forgotten = value === undefined || value === '' || (!inlineValue && value.startsWith('--'))
  if (forgotten) throw new ArgumentError(`${rawName}: needs a value, ${rawName} ${flag.value}; ${see}`)
  return value
}

/** The help of a verb. */
function helpText<F extends Flags>(help: VerbHelp<F>): string {
  const left = Object.entries(help.flags).map(([name, { value }]) =>
    value === undefined ? `--${name}` : `--${name} ${value}`,
  )
  const width = Math.max(6, ...left.map(({ length }) => length))
  const flags = Object.values(help.flags).map(
    ({ about }, i) => `  ${(left[i] ?? '').padEnd(width)}  ${wrapped(about, width + 4)}`,
  )
  return [
    ...help.usage.map((line, i) => `${i === 0 ? 'Usage:' : '      '} attest ${help.name} ${line}`.trimEnd()),
    '',
    help.summary,
    '',
    ...flags,
    `  ${'--help'.padEnd(width)}  this text`,
    ...(help.notes === undefined ? [] : ['', ...help.notes]),
    '',
    "'attest' is: npm run --silent attest --",
    '',
  ].join('\n')
}

const LINE = 110

/** A paragraph in lines for a terminal, of which all but the first are indented. */
export function wrapped(text: string, indent = 0): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > LINE) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`)
}
