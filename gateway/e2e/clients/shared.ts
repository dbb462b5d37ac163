import { type Stack, startStack } from '../stack.ts'

let started: Stack | undefined

/** Starts the quickstart that all clients talk to: starting it is the expensive part. For `beforeAll`. */
export async function openStack(): Promise<void> {
  started = await startStack()
}

/** The quickstart, within tests. */
export function stack(): Stack {
  if (!started) throw new Error('the stack is not started yet')
  return started
}
