import { same, type Tell } from './differences.ts'
import type { ChannelAtStart, EntryRow } from './pages.ts'

/** What the entries of one channel came to so far. */
interface Account {
  readonly channel: ChannelAtStart
  deposited: bigint
  settled: bigint
  charged: bigint
  /** Of the request before; ceilings never fall. */
  ceiling: bigint
  /** A ceiling that the gateway signed ahead of this entry, for the whole commit: the charges have to come to it. */
  due: bigint | undefined
}

/**
 * Adds every entry up again, in the order of charging, and holds the vouchers that were given for each charge against
 * the sum at that moment.
 */
export class Replay {
  readonly #accounts: Map<string, Account>
  readonly #tell: Tell

  constructor(channels: Iterable<ChannelAtStart>, tell: Tell) {
    this.#tell = tell
    this.#accounts = new Map(
      [...channels].map((channel) => [
        channel.record.id,
        { channel, deposited: 0n, settled: 0n, charged: 0n, ceiling: 0n, due: undefined },
      ]),
    )
  }

  /** Takes the next entry. */
  add(entry: EntryRow): void {
    const about = `entry ${entry.seq}`
    const account = this.#accounts.get(entry.channel)
    if (!account) this.#tell(about, `its channel ${entry.channel} is not in the ledger`)
    else if (entry.kind === 'deposit' || entry.kind === 'settle') this.#addMovement(about, account, entry)
    else this.#addOfRequest(about, account, entry)
  }

  #addOfRequest(about: string, account: Account, entry: EntryRow): void {
    const { role } = account.channel.record
    const { kind, requestId, state } = entry
    if (kind !== (role === 'client' ? 'charge' : 'earn')) this.#tell(about, `'${kind}' on a ${role} channel`)
    if (requestId === null) this.#tell(about, `'${kind}' of no request`)
    else if (state !== 'charged') this.#tell(about, `its request ${requestId} is ${state}`)
    same(this.#tell, about, 'its time', entry.at, entry.endedAt)
    if (role === 'client') this.#addCharge(about, account, entry)
    else this.#addEarning(about, account, entry)
  }

  #addMovement(about: string, account: Account, { kind, amount, request }: EntryRow): void {
    if (request !== null) this.#tell(about, `'${kind}' of a request`)
    if (kind === 'deposit') account.deposited += amount
    else account.settled += amount
    if (account.settled > account.deposited) this.#tell(about, 'more is settled than was deposited')
  }

  #addCharge(about: string, account: Account, { amount, clientCeiling }: EntryRow): void {
    const before = account.charged
    account.charged += amount
    if (account.charged > account.deposited) this.#tell(about, 'more is charged than was deposited')
    const ceiling = clientCeiling ?? 0n
    if (ceiling < account.ceiling)
      this.#tell(about, `its voucher over ${ceiling} comes after one over ${account.ceiling}`)
    if (account.channel.record.signer === 'client') {
      if (ceiling < account.charged)
        this.#tell(about, `its voucher over ${ceiling} does not cover ${account.charged}`)
    } else this.#checkSigned(about, account, ceiling, before)
    account.ceiling = ceiling
  }

  /**
   * The gateway signs what a whole commit came to. A signer that failed leaves the ceiling behind, at the sum of an
   * earlier commit.
   */
  #checkSigned(about: string, account: Account, ceiling: bigint, before: bigint): void {
    const { due, charged } = account
    if (ceiling > account.ceiling && ceiling !== before) {
      if (due !== undefined) this.#tell(about, `vouchers over ${due} were signed, which nothing came to`)
      if (ceiling < charged) this.#tell(about, `its voucher over ${ceiling} does not cover ${charged}`)
      account.due = ceiling
    }
    if (account.due === undefined || charged < account.due) return
    if (charged > account.due && due !== undefined) {
      this.#tell(about, `vouchers over ${due} were signed, which nothing came to`)
    }
    account.due = undefined
  }

  /** What a worker's voucher covers and what it is owed beyond come to all that it had earned after the commit. */
  #addEarning(about: string, account: Account, { amount, workerCeiling, workerOwed }: EntryRow): void {
    const ceiling = workerCeiling ?? 0n
    const total = ceiling + (workerOwed ?? 0n)
    if (account.due !== undefined && account.due !== total) this.#checkDue(about, account)
    account.charged += amount
    if (ceiling < account.ceiling)
      this.#tell(about, `its voucher over ${ceiling} comes after one over ${account.ceiling}`)
    if (total < account.charged) this.#tell(about, `covers and owes ${total} of ${account.charged} earned`)
    account.ceiling = ceiling
    account.due = total
  }

  #checkDue(about: string, { due, charged }: Account): void {
    if (due !== charged) this.#tell(about, `${due} were covered and owed before it, and ${charged} earned`)
  }

  /** After the last entry of the start: compares the sums with those that the channels had then. */
  finish(): void {
    for (const account of this.#accounts.values()) {
      const { id, role, deposited, settled, charged } = account.channel.record
      const about = `channel ${id}`
      same(this.#tell, about, 'deposited', deposited, account.deposited)
      same(this.#tell, about, 'settled', settled, account.settled)
      same(this.#tell, about, 'charged', charged, account.charged)
      if (role === 'worker' && account.due !== undefined) this.#checkDue(about, account)
      else if (role === 'client' && account.due !== undefined) {
        this.#tell(about, `vouchers over ${account.due} were signed, which nothing came to`)
      }
    }
  }
}
