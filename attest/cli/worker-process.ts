/** The worker as a child: started, followed by its messages, asked to drain, never left behind. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { commandWithoutCoreDumps } from './core-dumps.ts'
import { STOP_MESSAGE } from './process.ts'

/** The worker's main module: source in a checkout, compiled in a package. Started, never imported. */
export const WORKER_MAIN = new URL(
  `../../worker/main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
  import.meta.url,
)

const text = z.string().max(2000)
const statusSchema = z.object({
  event: z.literal('status'),
  state: z.enum(['starting', 'joining', 'ready', 'unpaid', 'refused', 'lost', 'draining', 'stopped']),
  bootId: text.nullish(),
  models: z.array(text).max(64),
  epoch: text.nullish(),
  receipts: z.int().min(0),
  earned: z.string().regex(/^\d{1,38}$/),
  code: text.optional(),
  owed: z
    .string()
    .regex(/^\d{1,38}$/)
    .optional(),
  by: text.optional(),
  factors: z.array(text).max(128).optional(),
  reason: text.optional(),
})

/** What a worker tells of itself over IPC. Amounts are nanotons. */
export type WorkerStatus = z.infer<typeof statusSchema>

/** A worker that was started. */
export interface WorkerProcess {
  /** Resolves when it is gone, with its exit status; of one that a signal ended, 1. */
  readonly ended: Promise<number>
  /** Asks it to finish what it has begun and to end; asked again, it is ended at once. */
  stop(): void
}

/** Starts a worker with these flags. It ends when this process does, because its channel closes. */
export function startWorker(
  main: URL,
  flags: readonly string[],
  onStatus: (status: WorkerStatus) => void,
): WorkerProcess {
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', fileURLToPath(main), ...flags]
  const [file, args] = commandWithoutCoreDumps(command)
  const child = spawn(file, args, {
    env: { ...process.env, CHRYSALIS_SUPERVISED: '1' },
    // Its ready line repeats a status; its stderr holds sentences for a person and, as told, its log.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.on('message', (message) => {
    const status = statusSchema.safeParse(message)
    if (status.success) onStatus(status.data)
  })
  let asked = false
  return {
    ended: endOf(child),
    stop: () => {
      if (asked) child.kill('SIGKILL')
      else ask(child)
      asked = true
    },
  }
}

async function endOf(child: ChildProcess): Promise<number> {
  // The last message may be under way still when the process is gone; its channel closes after it.
  const [[code]] = (await Promise.all([once(child, 'exit'), once(child, 'disconnect')])) as [
    [number | null],
    unknown,
  ]
  return code ?? 1
}

function ask(child: ChildProcess): void {
  // The message is for Windows, where a signal ends a process at once; the signal for one that cannot listen yet.
  if (child.connected) child.send(STOP_MESSAGE, () => {})
  if (process.platform !== 'win32' || !child.connected) child.kill('SIGTERM')
}
