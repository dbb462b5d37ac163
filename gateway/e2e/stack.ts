import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import type { UpReady } from '../cli/up.ts'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The whole quickstart, started as a user starts it, on a free port and a folder of its own. */
export interface Stack {
  ready: UpReady
  /** URL without `/v1`. */
  origin: string
  dir: string
  child: ChildProcess
  sdk: OpenAI
  /** All of stderr so far. */
  log(): string
  /** All lines of stdout so far. */
  output(): readonly string[]
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  /** Sends the signal and resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface StackOptions {
  /** Extra arguments of `up`. */
  args?: string[]
  /** An existing data folder; otherwise a new one, removed by `cleanUp`. */
  dir?: string
  env?: Record<string, string>
  /** What to run instead of the launcher, e.g. npm. */
  command?: string[]
  detached?: boolean
}

const made: string[] = []
const running = new Set<ChildProcess>()

/** A new folder under the system's temporary folder, removed by `cleanUp`. */
export async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'chrysalis-e2e-'))
  made.push(dir)
  return dir
}

/** Starts a stack; rejects with its stderr when it exits before it is ready. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const dir = options.dir ?? (await temporaryFolder())
  const [file = '', ...first] = options.command ?? [
    process.execPath,
    join(ROOT, 'gateway/cli/launch.mjs'),
    'up',
  ]
  const child = spawn(file, [...first, '--json', '--port', '0', '--data', dir, ...(options.args ?? [])], {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const stdout: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => stdout.push(line))
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`exited with ${code} before it was ready:\n${stderr}`)
  })
  await Promise.race([once(lines, 'line'), exited])
  exited.catch(() => {})
  const ready = JSON.parse(stdout[0] ?? '') as UpReady
  const origin = ready.url.replace(/\/v1$/, '')
  return {
    ready,
    origin,
    dir,
    child,
    sdk: new OpenAI({ baseURL: ready.url, apiKey: ready.apiKey, maxRetries: 0 }),
    log: () => stderr,
    output: () => stdout,
    post: (path, body, headers = {}) =>
      fetch(origin + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${ready.apiKey}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    stop: (signal = 'SIGTERM') => stopChild(child, signal),
  }
}

/** The JSON body of a response, of the shape that the test expects. */
export async function bodyOf<T>(response: Response): Promise<T> {
  return (await response.json()) as T
}

/** Error envelope, translation and receipt as the tests look at them. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null }
}
export interface TranslationBody {
  object: string
  data: { index: number; text: string; detected_source_language: string }[]
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number }
}
export interface ReceiptBody {
  id: string
  receipt: { payload: string; signature: string }
  charged: string
}

/** What the enclave signed, opened. */
export function payloadOf(body: ReceiptBody): { requestId: string; status: string; clientCharge: string } {
  return JSON.parse(Buffer.from(body.receipt.payload, 'base64url').toString())
}

/** Signals a child and resolves with its exit code. */
export async function stopChild(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  // `close`, not `exit`: by then all that it wrote has been read.
  const gone = once(child, 'close')
  child.kill(signal)
  const [code] = await gone
  return code
}

/** Stops what still runs and removes the temporary folders. For `afterAll`. */
export async function cleanUp(): Promise<void> {
  for (const child of [...running]) await stopChild(child, 'SIGTERM')
  for (const dir of made.splice(0)) await rm(dir, { recursive: true, force: true })
}
