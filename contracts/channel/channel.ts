import {
  type Address,
  type Contract,
  type ContractProvider,
  internal,
  type MessageRelaxed,
  type StateInit,
} from '@ton/core'
import {
  ATTACH,
  coopCloseBody,
  finishCloseBody,
  RENT_RESERVE,
  settleBody,
  startCloseBody,
  topUpBody,
} from './messages.ts'
import { type ChannelParams, type ChannelState, channelAddress, channelInit } from './params.ts'

/**
 * A channel as a `@ton/core` contract: its address, and the messages that a wallet sends to it. All of them bounce, so
 * that what a channel does not take comes back.
 */
export class Channel implements Contract {
  readonly params: ChannelParams
  readonly address: Address
  readonly init: StateInit & Required<Pick<StateInit, 'code' | 'data'>>

  constructor(params: ChannelParams) {
    this.params = params
    this.init = channelInit(params)
    this.address = channelAddress(params)
  }

  /** Deploys the channel with a first deposit of `amount` nanotons. */
  deploy(amount: bigint): MessageRelaxed {
    return internal({
      to: this.address,
      bounce: true,
      value: amount + RENT_RESERVE + ATTACH,
      init: this.init,
      body: topUpBody(amount),
    })
  }

  /** Adds `amount` nanotons to the deposit, and `reserve` to what is kept for rent. */
  topUp(amount: bigint, reserve = 0n): MessageRelaxed {
    return this.message(amount + reserve + ATTACH, topUpBody(amount))
  }

  /** To be sent by the payee. `amount` is the new cumulative total, in nanotons. */
  settle(amount: bigint, ceiling: bigint, signature: Uint8Array): MessageRelaxed {
    return this.message(ATTACH, settleBody(amount, ceiling, signature))
  }

  /** To be sent by the payer. */
  startClose(): MessageRelaxed {
    return this.message(ATTACH, startCloseBody())
  }

  /** To be sent by anyone, once the challenge period is over. */
  finishClose(): MessageRelaxed {
    return this.message(ATTACH, finishCloseBody())
  }

  /** To be sent by the payer, with the payee's release of `amount` nanotons in all. */
  coopClose(amount: bigint, signature: Uint8Array): MessageRelaxed {
    return this.message(ATTACH, coopCloseBody(amount, signature))
  }

  /** Reads the state through the get method `get_channel`. */
  async getState(provider: ContractProvider): Promise<ChannelState> {
    const { stack } = await provider.get('get_channel', [])
    return { deposited: stack.readBigNumber(), settled: stack.readBigNumber(), closeAt: stack.readNumber() }
  }

  private message(value: bigint, body: ReturnType<typeof topUpBody>): MessageRelaxed {
    return internal({ to: this.address, bounce: true, value, body })
  }
}
