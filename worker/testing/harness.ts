import { simulatedWithoutLog } from '../../attest/evidence/testing.ts'
import { SimulatedTee } from '../../attest/simulate/index.ts'
import { Earnings, type EarningsOptions } from '../earnings/index.ts'
import { Worker, type WorkerOptions } from '../enclave/index.ts'
import { type ScriptedEngine, type ScriptedOptions, scriptedEngine } from '../engine/testing/scripted.ts'
import { Link, type LinkOptions } from '../link/index.ts'
import type { Log, LogFields } from '../log.ts'
import { runTask } from '../tasks/index.ts'
import { FakeGateway, type JoinOptions, type Peer } from './fake-gateway.ts'
import { ManualClock } from './manual-clock.ts'

export const PRICES = { prompt: '1000000', cached: '1000000', completion: '2000000', reasoning: '2000000' }

export interface HarnessOptions {
  engine?: ScriptedOptions
  worker?: Partial<WorkerOptions>
  link?: Partial<LinkOptions>
  earnings?: Partial<EarningsOptions>
}

/** A whole worker in this process, its link to a fake gateway over a real socket, and time in the test's hand. */
export class Harness implements AsyncDisposable {
  readonly clock: ManualClock
  readonly gateway: FakeGateway
  readonly worker: Worker
  readonly earnings: Earnings
  readonly link: Link
  readonly engines: ScriptedEngine[]
  readonly logged: { level: string; fields: LogFields; message: string }[]
  /** Codes of lost connections. */
  readonly lost: string[] = []

  private constructor(
    parts: Pick<Harness, 'clock' | 'gateway' | 'worker' | 'engines' | 'logged'>,
    options: HarnessOptions,
  ) {
    this.clock = parts.clock
    this.gateway = parts.gateway
    this.worker = parts.worker
    this.engines = parts.engines
    this.logged = parts.logged
    const log = logInto(parts.logged)
    const creditLimit = 1_000_000n
    this.earnings = new Earnings({
      file: ':memory:',
      unpaid: true,
      creditLimit,
      clock: this.clock,
      log,
      ...options.earnings,
    })
    this.link = new Link({
      url: this.gateway.url,
      worker: this.worker,
      earnings: this.earnings,
      policy: { ...simulatedWithoutLog(this.gateway.tee.rootSha256), roles: ['gateway'] },
      offers: [{ model: this.worker.model.id, prices: PRICES }],
      clock: this.clock,
      log,
      random: () => 0.5,
      onLost: (code) => this.lost.push(code),
      ...options.link,
    })
  }

  static async open(options: HarnessOptions = {}): Promise<Harness> {
    const clock = new ManualClock()
    const tee = SimulatedTee.ephemeral({ now: clock.now })
    const gateway = await FakeGateway.open(clock, tee)
    const engines: ScriptedEngine[] = []
    const logged: Harness['logged'] = []
    const worker = await Worker.create({
      startEngine: async () => {
        const engine = scriptedEngine(options.engine)
        engines.push(engine)
        return engine
      },
      runTask,
      tee,
      clock,
      log: logInto(logged),
      software: { version: '0', commit: 'test' },
      registry: { globalId: 0, address: '' },
      payoutAddress: '',
      ...options.worker,
    })
    return new Harness({ clock, gateway, worker, engines, logged }, options)
  }

  get engine(): ScriptedEngine {
    const engine = this.engines.at(-1)
    if (!engine) throw new Error('no engine')
    return engine
  }

  /** Starts the link and takes it in. */
  async joined(options: JoinOptions = {}): Promise<Peer> {
    this.link.start()
    return await (await this.gateway.connection()).welcome(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.link.close(0)
    this.clock.advance(1)
    // A gateway that has hung up does not answer a close.
    this.clock.advance(2_000)
    await closing
    await this.worker.close()
    this.earnings.close()
    await this.gateway.close()
  }
}

function logInto(lines: Harness['logged']): Log {
  const at = (level: string) => (fields: LogFields, message: string) =>
    void lines.push({ level, fields, message })
  return { info: at('info'), warn: at('warn'), error: at('error') }
}
