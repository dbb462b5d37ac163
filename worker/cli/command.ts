import { codeOf, placeOf } from '../../attest/cli/process.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import { ContractsError } from '../../contracts/errors.ts'

/**
 * Runs a command of this process to its end. What we refuse ourselves is a sentence on stderr (exit status 2 when it is
 * about the arguments, else 1); of anything else only its code is told.
 */
export async function runCommand(name: string, command: (argv: string[]) => Promise<void>): Promise<void> {
  // Whoever stops reading, as `head` does, has seen enough.
  process.stdout.on('error', () => {})
  try {
    await command(process.argv.slice(2))
  } catch (error) {
    const known = error instanceof ChrysalisError || error instanceof ContractsError
    const text = known ? error.message : `failed (${codeOf(error)} at ${placeOf(error)})`
    process.stderr.write(`${name}: ${text}\n`)
    process.exitCode = known && error.code === 'ERR_CONFIG' ? 2 : 1
  }
}
