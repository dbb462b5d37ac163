import { randomBytes } from 'node:crypto'
import { Wallet } from '../../wallet/wallet.ts'
import { connectToncenter, type ToncenterChain, type ToncenterOptions } from '../toncenter/chain.ts'
import { FakeClock } from './clock.ts'
import { FAKE_NETWORK, FakeNetwork } from './network.ts'
import { FakeToncenter } from './toncenter.ts'

/** 2026-06-15, after the prices of June 2026 came into force. */
const START = 1_781_481_600

/** A fake network, two fake providers and a clock; whenever somebody waits, the network makes a block. */
export class World {
  readonly clock: FakeClock
  readonly network: FakeNetwork
  readonly one: FakeToncenter
  readonly other: FakeToncenter

  private constructor(network: FakeNetwork, clock: FakeClock, one: FakeToncenter, other: FakeToncenter) {
    this.network = network
    this.clock = clock
    this.one = one
    this.other = other
    clock.onSleep = () => network.advance()
  }

  /** @param seconds what time it is there first, Unix seconds */
  static async start(seconds = START): Promise<World> {
    const clock = new FakeClock(seconds)
    const network = await FakeNetwork.create(clock)
    const fakes = [
      await FakeToncenter.start(network, clock),
      await FakeToncenter.start(network, clock),
    ] as const
    return new World(network, clock, ...fakes)
  }

  /** Connects with keys, whose rate is 10 a second. */
  connect(options: Partial<ToncenterOptions> = {}): Promise<ToncenterChain> {
    const providers = [
      { endpoint: this.one.endpoint, apiKey: 'key-of-one' },
      { endpoint: this.other.endpoint, apiKey: 'key-of-other' },
    ] as const
    return connectToncenter({ network: FAKE_NETWORK, providers, clock: this.clock, ...options })
  }

  /** A funded wallet with a new key. */
  async wallet(amount = 100_000_000_000n): Promise<Wallet> {
    const wallet = Wallet.fromSeed(randomBytes(32), FAKE_NETWORK.globalId)
    await this.network.fund(wallet.address, amount)
    return wallet
  }

  /**
   * From now on the network lives in true time, for processes that have a clock of their own: a block every `ms`.
   * @returns ends that
   */
  live(ms: number): () => void {
    const timer = setInterval(() => {
      this.clock.ms = Date.now()
      void this.network.advance()
    }, ms)
    return () => clearInterval(timer)
  }

  async close(): Promise<void> {
    await Promise.all([this.one.close(), this.other.close()])
  }
}
