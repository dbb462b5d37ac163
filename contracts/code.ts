import { Cell } from '@ton/core'
import { ContractsError } from './errors.ts'

/**
 * Code as it is committed beside its source; running needs no compiler. contracts/README.md says how to compile again.
 * @returns a function that reads the cell once and hands it out
 * @throws ContractsError ERR_CONTRACT_CODE (on the first call) when code and hash do not belong together
 */
export function committedCode(compiled: { hash: string; code: string }, file: string): () => Cell {
  let cell: Cell | undefined
  return () => {
    if (cell) return cell
    const read = Cell.fromBase64(compiled.code)
    if (read.hash().toString('hex') !== compiled.hash) {
      throw new ContractsError('ERR_CONTRACT_CODE', `${file}: code and hash do not belong together`)
    }
    cell = read
    return cell
  }
}
