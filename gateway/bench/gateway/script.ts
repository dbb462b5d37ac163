/** @module What the bench asks for and what is answered: told once, for the upstream, the worker and the load. */

/** How the answer to one request is to come; the text of the request's last message. */
export interface Script {
  /** Tokens of the answer: chunks, when it is streamed. */
  readonly tokens: number
  /** Milliseconds between two tokens; 0: as fast as they are taken. */
  readonly everyMs: number
}

export const MODEL = 'bench/scripted'

/** A system message that makes the request about as long as the 0.7 KB of the reference measurements. */
const SYSTEM = 'You translate between the languages of the phrasebook, and you answer in one line. '.repeat(6)

/** The bytes of a chat request for this answer. */
export function requestBody(script: Script, stream: boolean): string {
  const messages = [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: JSON.stringify(script) },
  ]
  return JSON.stringify({ model: MODEL, messages, stream, max_tokens: 4096, temperature: 0 })
}

/** Reads a script back from the last message of a prompt. */
export function readScript(messages: readonly { readonly content: unknown }[]): Script {
  return JSON.parse(String(messages.at(-1)?.content)) as Script
}

/** A token that says when it was made, in ns of the clock that all processes of a machine share. */
export function stampedToken(): string {
  return ` t${process.hrtime.bigint()}`
}

/** The tokens of one answer, as they come. */
export async function* play({ tokens, everyMs }: Script): AsyncGenerator<string> {
  const started = performance.now()
  for (let token = 0; token < tokens; token++) {
    // By the plan and not from the last token on, so that late timers do not add up.
    if (everyMs > 0) await sleep(Math.max(0, started + (token + 1) * everyMs - performance.now()))
    yield stampedToken()
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
