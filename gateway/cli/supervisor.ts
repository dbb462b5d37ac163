import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { commandWithoutCoreDumps } from '../../attest/cli/core-dumps.ts'
import { STOP_MESSAGE } from '../../attest/cli/process.ts'
import { ChrysalisError } from '../../attest/errors.ts'

/** A role that could not be started, or kept dying. */
export class RoleError extends ChrysalisError {
  constructor(code: 'ERR_ROLE_FAILED' | 'ERR_ROLE_CRASH_LOOP', message: string) {
    super(code, message)
  }
}

/** How to start one role as a process of its own. */
export interface RoleSpec {
  name: string
  /** The role's main module. */
  main: URL
  /**
   * Flags and environment for this start. Called again for each restart with the ready line of the first start,
   * so that a role which chose a free port keeps it. Secrets never go here: both are visible to other processes.
   */
  args: (previous: ReadyLine | undefined) => string[] | Promise<string[]>
  env?: Record<string, string>
  /** Takes stderr; absent: it goes to our own. */
  onLog?: (text: Buffer) => void
}

/** The one line of JSON that a role prints on stdout once it serves. */
export interface ReadyLine {
  event: 'ready'
  url?: string
  [key: string]: unknown
}

const RESTART_LIMIT = 5
const RESTART_WINDOW_MS = 30_000
const KILL_AFTER_MS = 40_000

/**
 * Keeps one role running: starts it, waits for its ready line, starts it again when it dies, stops it on request.
 * The role learns of our own death by the closing of its IPC channel, so nothing is left behind by a `kill -9`.
 */
export class Role extends EventEmitter<{ ready: [ReadyLine]; died: [string]; failed: [RoleError] }> {
  readonly #spec: RoleSpec
  #child: ChildProcess | undefined
  #ready: ReadyLine | undefined
  #starts: number[] = []
  #stopping = false

  constructor(spec: RoleSpec) {
    super()
    this.#spec = spec
  }

  /** The ready line of the first start. */
  get ready(): ReadyLine | undefined {
    return this.#ready
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts the role; resolves with its ready line. Throws RoleError when it exits before that. */
  async start(): Promise<ReadyLine> {
    const args = await this.#spec.args(this.#ready)
    if (this.#stopping) throw new RoleError('ERR_ROLE_FAILED', `${this.#spec.name} is being stopped`)
    const child = this.#spawn(args)
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const exited = once(child, 'exit').then(([code, signal]) => describeExit(code, signal))
    const ready = new Promise<ReadyLine>((resolve) => {
      lines.on('line', (line) => {
        const parsed = parseReady(line)
        if (parsed) resolve(parsed)
      })
    })
    const first = await Promise.race([ready, exited])
    if (typeof first === 'string')
      throw new RoleError(
        'ERR_ROLE_FAILED',
        `${this.#spec.name} did not start: ${first}; its reason is above`,
      )
    this.#ready ??= first
    exited.then((how) => this.#onDeath(how))
    this.emit('ready', first)
    return first
  }

  /** From now on its end is expected: it is not started again. */
  retire(): void {
    this.#stopping = true
  }

  /** Asks the role to drain and exit; after 40 s it is killed. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.retire()
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    // The message is for Windows, where kill() ends a process at once; the signal for one that cannot listen yet.
    if (child.connected) child.send(STOP_MESSAGE, () => {})
    if (process.platform !== 'win32' || !child.connected) child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
    await gone
    clearTimeout(timer)
  }

  #spawn(args: string[]): ChildProcess {
    const command = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(this.#spec.main),
      ...args,
    ]
    const [file, rest] = commandWithoutCoreDumps(command)
    const child = spawn(file, rest, {
      env: { ...process.env, ...this.#spec.env, CHRYSALIS_SUPERVISED: '1' },
      stdio: ['ignore', 'pipe', this.#spec.onLog ? 'pipe' : 'inherit', 'ipc'],
    })
    if (this.#spec.onLog) child.stderr?.on('data', this.#spec.onLog)
    this.#child = child
    this.#starts.push(performance.now())
    return child
  }

  async #onDeath(how: string): Promise<void> {
    if (this.#stopping) return
    this.emit('died', how)
    const now = performance.now()
    this.#starts = this.#starts.filter((time) => now - time < RESTART_WINDOW_MS)
    if (this.#starts.length >= RESTART_LIMIT) {
      const message = `${this.#spec.name} died ${RESTART_LIMIT} times in ${RESTART_WINDOW_MS / 1000} s; giving up`
      this.emit('failed', new RoleError('ERR_ROLE_CRASH_LOOP', message))
      return
    }
    try {
      await this.start()
    } catch (error) {
      this.#onDeath((error as Error).message)
    }
  }
}

function parseReady(line: string): ReadyLine | undefined {
  try {
    const parsed = JSON.parse(line)
    return parsed?.event === 'ready' ? parsed : undefined
  } catch {
    return undefined
  }
}

function describeExit(code: number | null, signal: string | null): string {
  return signal ? `killed by ${signal}` : `exited with code ${code}`
}

/**
 * Calls `stop` once, on the first SIGINT, SIGTERM or (Windows) Ctrl-Break, and exits. A terminal's doubled SIGINT
 * counts once; a later one forces.
 *
 * @returns stops in the same way, to exit with this status
 */
export function onStopSignal(stop: () => Promise<void>): (status: number) => void {
  let firstAt: number | undefined
  const end = (status: number) => {
    firstAt ??= performance.now()
    stop().then(
      () => process.exit(status),
      (error) => {
        process.stderr.write(`${(error as Error).message}\n`)
        process.exit(1)
      },
    )
  }
  const handle = () => {
    if (firstAt === undefined) return end(0)
    // npm passes on the SIGINT that the terminal also sent us directly: both come within moments.
    if (performance.now() - firstAt > 1_000) process.exit(130)
  }
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM']
  if (process.platform === 'win32') signals.push('SIGBREAK')
  for (const signal of signals) process.on(signal, handle)
  return end
}
