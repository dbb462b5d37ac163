/**
 * The local chain's state on disk: one file, replaced as a whole. A reader sees the old state or the new one, never a
 * mixture, whenever the process dies; `save` returns only when the new one would survive a power cut.
 */

import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ContractsError } from '../../errors.ts'
import { syncFolder } from '../../files.ts'
import type { TvmState } from './state.ts'

/** State of the chain and of its clock. `offset` is seconds added to the machine's clock by advanceTime. */
export interface SavedChain {
  globalId: number
  offset: number
  state: TvmState
}

const FILE = 'state.json'
const TEMPORARY = 'state.json.new'
const amount = z.string().regex(/^[0-9]{1,30}$/)
const savedSchema = z.strictObject({
  v: z.literal(1),
  globalId: z.number().int(),
  offset: z.number().int().nonnegative(),
  time: z.number().int().nonnegative(),
  lt: amount,
  faucet: amount,
  burned: amount,
  accounts: z.record(z.string(), z.string()),
})

function encode(saved: SavedChain): string {
  const { state } = saved
  const body = JSON.stringify({
    v: 1,
    globalId: saved.globalId,
    offset: saved.offset,
    time: state.time,
    lt: state.lt.toString(),
    faucet: state.faucet.toString(),
    burned: state.burned.toString(),
    accounts: Object.fromEntries(state.accounts),
  })
  return `${createHash('sha256').update(body).digest('hex')}\n${body}\n`
}

function decode(text: string): SavedChain {
  const [sum, body] = text.split('\n')
  if (sum === undefined || body === undefined || createHash('sha256').update(body).digest('hex') !== sum) {
    throw new ContractsError(
      'ERR_CHAIN_STATE',
      `${FILE}: the checksum does not match; restore or reset the folder`,
    )
  }
  const saved = savedSchema.parse(JSON.parse(body))
  return {
    globalId: saved.globalId,
    offset: saved.offset,
    state: {
      accounts: new Map(Object.entries(saved.accounts)),
      lt: BigInt(saved.lt),
      time: saved.time,
      faucet: BigInt(saved.faucet),
      burned: BigInt(saved.burned),
    },
  }
}

export class StateFile {
  private readonly dir: string

  private constructor(dir: string) {
    this.dir = dir
  }

  /** Opens the folder `dir`, making it (mode 0700) when it is not there. */
  static async open(dir: string): Promise<StateFile> {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await rm(join(dir, TEMPORARY), { force: true })
    return new StateFile(dir)
  }

  /**
   * @returns the last saved state, or undefined in a new folder
   * @throws ContractsError ERR_CHAIN_STATE when the file is damaged: money is never guessed
   */
  async load(): Promise<SavedChain | undefined> {
    let text: string
    try {
      text = await readFile(join(this.dir, FILE), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    return decode(text)
  }

  /** Replaces the saved state; durable when it resolves. */
  async save(saved: SavedChain): Promise<void> {
    const temporary = join(this.dir, TEMPORARY)
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(encode(saved))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, join(this.dir, FILE))
    await syncFolder(this.dir)
  }
}
