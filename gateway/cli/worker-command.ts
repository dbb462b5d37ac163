import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * Runs a command of `worker/cli` as a process of its own, on this terminal: nothing of the gateway imports the worker's
 * inside. Its exit status becomes ours.
 */
export async function runWorkerCommand(
  name: 'earnings' | 'withdraw',
  argv: readonly string[],
): Promise<void> {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  const file = fileURLToPath(new URL(`../../worker/cli/${name}${extension}`, import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...argv], {
    stdio: 'inherit',
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 1
}
