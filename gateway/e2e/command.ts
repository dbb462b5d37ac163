/** The command line as a user runs it: real processes of the launcher. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { ROOT, stopChild } from './stack.ts'

const LAUNCH = 'gateway/cli/launch.mjs'
const running: ChildProcess[] = []

/** Runs `chrysalis …` to its end. @returns what it printed @throws Error with its stderr when it fails */
export async function chrysalis(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [LAUNCH, ...args], { cwd: ROOT })).stdout
}

/** Starts `chrysalis … --json`; resolves with the line that it prints when it is ready, rejects with its stderr. */
export async function startChrysalis<T>(...args: string[]): Promise<{ ready: T; child: ChildProcess }> {
  const child = spawn(process.execPath, [LAUNCH, ...args, '--json'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exited = once(child, 'exit').then(() => {
    throw new Error(stderr)
  })
  exited.catch(() => {})
  const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  const [text] = await Promise.race([line, exited])
  return { ready: JSON.parse(text), child }
}

/** Stops what still runs. For `afterAll`. */
export async function stopCommands(): Promise<void> {
  for (const child of running.splice(0)) await stopChild(child, 'SIGTERM')
}
