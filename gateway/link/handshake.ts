import { toBase64 } from '../../attest/bytes.ts'
import {
  type GatewayMessageOf,
  LinkError,
  parseWorkerMessage,
  type WorkerMessageOf,
} from '../../worker/protocol/link.ts'
import { LINK_VERSIONS } from '../../worker/protocol/version.ts'
import type { SessionHost } from './host.ts'
import { freshNonce, type Refusal } from './judge.ts'
import { peekJoinVersion } from './peek.ts'
import { type Prepared, prepareJoin } from './prepare.ts'
import { makeWelcome } from './welcome.ts'

/** A connection before its welcome: our challenge, the join that answers it, and how long both may take. */
export class Handshake {
  readonly challenge: GatewayMessageOf<'challenge'>
  readonly #host: SessionHost
  readonly #nonce = freshNonce()
  readonly #stopJoin: () => void
  readonly #stopWelcome: () => void

  /** @param onLate called when the join, or all of it, takes too long; not after {@link end} */
  constructor(host: SessionHost, onLate: () => void) {
    this.#host = host
    this.#stopJoin = host.clock.after(host.limits.joinMs, onLate)
    this.#stopWelcome = host.clock.after(host.limits.handshakeMs, onLate)
    this.challenge = {
      type: 'challenge',
      versions: LINK_VERSIONS,
      nonce: toBase64(this.#nonce),
      gatewayId: host.gatewayId,
      time: host.clock.now(),
    }
  }

  /**
   * Reads the first message.
   * @returns undefined when the versions of the two sides do not meet
   * @throws LinkError when it is anything but a join
   */
  read(text: string): WorkerMessageOf<'join'> | undefined {
    if (peekJoinVersion(text) === undefined) return undefined
    const join = parseWorkerMessage(text)
    if (join.type !== 'join') throw new LinkError('unexpected_message', 'the first message has to be a join')
    this.#stopJoin()
    return join
  }

  /** Judges the join and gathers what its welcome needs. */
  prepare(join: WorkerMessageOf<'join'>): Promise<Prepared | Refusal> {
    return prepareJoin(join, this.#nonce, this.#host)
  }

  /** The signed answer to a join. @param session names the connection */
  welcome(session: string, join: WorkerMessageOf<'join'>, prepared: Prepared): GatewayMessageOf<'welcome'> {
    return makeWelcome({ session, challenge: this.challenge, join, ...prepared }, this.#host)
  }

  /** The worker is welcome, or gone: nothing is late any more. */
  end(): void {
    this.#stopJoin()
    this.#stopWelcome()
  }
}
