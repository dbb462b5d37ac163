/** What a verb has of the world: where it writes, where paths start, what time it is. All injectable. */

import { resolve } from 'node:path'

export interface Io {
  /** Writes to stdout. */
  out(text: string): void
  /** Writes to stderr. */
  err(text: string): void
  /** Writes bytes to stdout. */
  outBytes(bytes: Uint8Array): void
  /** Whether a person sees stdout. */
  terminal: boolean
  /** Whether stdout may be coloured. */
  colour: boolean
  env: Record<string, string | undefined>
  /** The folder where the person typed the command. */
  cwd: string
  /** Wall clock, ms. */
  now: () => number
}

/** The world of this process. */
export function processIo(): Io {
  const { env, stdout } = process
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void process.stderr.write(text),
    outBytes: (bytes) => void stdout.write(bytes),
    terminal: stdout.isTTY === true,
    colour: mayColour(env, stdout.isTTY === true),
    env,
    cwd: process.cwd(),
    now: Date.now,
  }
}

/** no-color.org: any value but an empty one turns colours off. */
export function mayColour(env: Io['env'], terminal: boolean): boolean {
  return terminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
}

const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const
export type Style = keyof typeof CODES

/** Text in a style, or plain where colours are off. */
export function styled({ colour }: Pick<Io, 'colour'>, style: Style, text: string): string {
  return colour ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text
}

/** A path as the person meant it. */
export function pathOf(io: Pick<Io, 'cwd'>, path: string): string {
  return resolve(io.cwd, path)
}
