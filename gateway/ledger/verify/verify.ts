import {
  type ChannelParams,
  ContractsError,
  channelParamsFromJson,
  type ChannelState as OnChain,
  verifyVoucher,
} from '../../../contracts/index.ts'
import { checkChannel, checkOnChain, type KnownChannel } from './channels.ts'
import type { Difference, Tell } from './differences.ts'
import type { Pages, VoucherRow } from './pages.ts'
import { Replay } from './replay.ts'
import { checkRequest } from './requests.ts'

/** Rows that are checked in one go: a signature takes a tenth of a millisecond, and a gateway has other things to do. */
const AT_ONCE = 16

/** Reads one page of the ledger. */
export type ReadPage = <N extends keyof Pages>(page: N, ask: Pages[N]['ask']) => Promise<Pages[N]['rows']>

export interface VerifyOptions {
  /** Network that the vouchers are for: its global_id. */
  globalId: number
  /** Told of each difference, as it is found. */
  onDifference: (difference: Difference) => void
  /** Told of how many rows were looked at. */
  onProgress?: (rows: number) => void
  /** Reads a channel from the chain, to compare with; undefined when it is not there. */
  onChain?: (params: ChannelParams) => Promise<OnChain | undefined>
  /** Also has SQLite look over its whole file. Commits wait meanwhile: not for a ledger in use. */
  wholeFile?: boolean
  /** Ends it early. */
  signal?: AbortSignal
}

/** What was looked at. */
export interface VerifyReport {
  channels: number
  entries: number
  requests: number
  vouchers: number
  /** Channels that were held against the chain. */
  onChain: number
  differences: number
}

/** Holds a whole ledger, page by page, against its receipts, its vouchers and the chain. */
export class Verification {
  readonly #read: ReadPage
  readonly #options: VerifyOptions
  readonly #channels = new Map<string, KnownChannel>()
  readonly #report: VerifyReport = {
    channels: 0,
    entries: 0,
    requests: 0,
    vouchers: 0,
    onChain: 0,
    differences: 0,
  }
  readonly #tell: Tell = (about, problem) => {
    this.#report.differences += 1
    this.#options.onDifference({ about, problem })
  }

  constructor(read: ReadPage, options: VerifyOptions) {
    this.#read = read
    this.#options = options
  }

  async run(): Promise<VerifyReport> {
    if (this.#options.wholeFile) {
      for (const problem of await this.#read('file', {})) this.#tell('file', problem)
    }
    const { channels, lastEntry, lastRequest } = await this.#read('start', {})
    await this.#each('channels', channels, (channel) => {
      this.#channels.set(channel.record.id, checkChannel(channel, this.#tell))
    })
    await this.#entries(lastEntry)
    await this.#requests(lastRequest)
    await this.#strays(lastRequest)
    await this.#vouchers()
    await this.#chain()
    return this.#report
  }

  async #entries(upTo: bigint): Promise<void> {
    const replay = new Replay(this.#channels.values(), this.#tell)
    for (let after = 0n; ; ) {
      const rows = await this.#read('entries', { after, upTo })
      await this.#each('entries', rows, (row) => replay.add(row))
      const last = rows.at(-1)
      if (!last) return replay.finish()
      after = last.seq
    }
  }

  async #requests(upTo: bigint): Promise<void> {
    for (let after = 0n; ; ) {
      const rows = await this.#read('requests', { after, upTo })
      await this.#each('requests', rows, (row) => {
        if (!this.#channels.has(row.channel)) {
          this.#tell(`request ${row.requestId}`, `its channel ${row.channel} is not in the ledger`)
        }
        checkRequest(row, this.#tell)
      })
      const last = rows.at(-1)
      if (!last) return
      after = last.seq
    }
  }

  async #strays(upTo: bigint): Promise<void> {
    for (let after = 0n; after < upTo; ) {
      const { requests, next } = await this.#read('strays', { after, upTo })
      this.#options.signal?.throwIfAborted()
      for (const seq of requests) this.#tell(`receipt ${seq}`, 'there is no charged request for it')
      after = next
    }
  }

  async #vouchers(): Promise<void> {
    let after: Pages['vouchers']['ask']['after']
    for (;;) {
      const rows = await this.#read('vouchers', { after })
      await this.#each('vouchers', rows, (row) => this.#checkVoucher(row))
      after = rows.at(-1)
      if (!after) return
      after = { channel: after.channel, ceiling: after.ceiling }
    }
  }

  #checkVoucher({ channel: id, channelId, ceiling, signature }: VoucherRow): void {
    const about = `voucher ${id} ${ceiling}`
    const channel = this.#channels.get(id)
    if (channelId === null) this.#tell(about, 'its channel is not in the ledger')
    // A channel that was added meanwhile is for the next time.
    if (!channel) return
    const { address, voucherKey } = channel
    if (!address || !voucherKey) return
    const terms = { globalId: this.#options.globalId, channel: address, ceiling }
    if (!verifyVoucher(voucherKey, terms, signature))
      this.#tell(about, 'not signed by the voucher key of its channel')
  }

  async #chain(): Promise<void> {
    const { onChain, signal } = this.#options
    if (!onChain) return
    for (const channel of this.#channels.values()) {
      signal?.throwIfAborted()
      if (!channel.address || channel.record.deposited === 0n) continue
      const params = channelParamsFromJson(JSON.parse(channel.record.params))
      try {
        checkOnChain(channel, await onChain(params), this.#tell)
        this.#report.onChain += 1
      } catch (error) {
        if (!(error instanceof ContractsError)) throw error
        this.#tell(`channel ${channel.record.id}`, `cannot be held against the chain (${error.message})`)
      }
    }
  }

  /** Checks rows a few at a time, so that whatever else the process does goes on in between. */
  async #each<T>(
    what: 'channels' | 'entries' | 'requests' | 'vouchers',
    rows: readonly T[],
    check: (row: T) => void,
  ): Promise<void> {
    for (let i = 0; i < rows.length; i += AT_ONCE) {
      this.#options.signal?.throwIfAborted()
      for (const row of rows.slice(i, i + AT_ONCE)) check(row)
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#report[what] += rows.length
    const { channels, entries, requests, vouchers } = this.#report
    this.#options.onProgress?.(channels + entries + requests + vouchers)
  }
}
