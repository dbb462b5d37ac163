import {
  type Address,
  beginCell,
  type Cell,
  type Contract,
  type ContractProvider,
  internal,
  type MessageRelaxed,
  type StateInit,
} from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { ATTACH, coopCloseBody, finishCloseBody, settleBody, startCloseBody } from '../channel/messages.ts'
import { ContractsError } from '../errors.ts'
import {
  DEPOSIT_ATTACH,
  FORWARD_TON,
  JETTON_ATTACH,
  JETTON_RENT_RESERVE,
  jettonTransferBody,
  openBody,
  retryBody,
  sweepBody,
} from './messages.ts'
import {
  type JettonChannelParams,
  type JettonChannelState,
  jettonChannelAddress,
  jettonChannelInit,
  jettonWalletAddress,
} from './params.ts'

/**
 * A jetton channel as a `@ton/core` contract: its address, and the messages that a wallet sends. Amounts are the
 * jetton's smallest units. All messages bounce, so that what the channel does not take comes back.
 */
export class JettonChannel implements Contract {
  readonly params: JettonChannelParams
  readonly address: Address
  readonly init: StateInit & Required<Pick<StateInit, 'code' | 'data'>>
  /** The channel's own jetton wallet, where the deposit lies. */
  readonly jettonWallet: Address

  constructor(params: JettonChannelParams) {
    this.params = params
    this.init = jettonChannelInit(params)
    this.address = jettonChannelAddress(params)
    this.jettonWallet = jettonWalletAddress(this.address, params)
  }

  /**
   * Deploys the channel, empty; later, fills up its reserve for rent. Wait until it is there before the first
   * {@link deposit}: of a deposit that comes first, nobody tells it.
   */
  open(): MessageRelaxed {
    return this.message(JETTON_RENT_RESERVE + ATTACH, openBody(), true)
  }

  /** Sends `amount` jettons of `owner`'s into the channel. To be sent by `owner`; goes to its jetton wallet. */
  deposit(owner: Address, amount: bigint): MessageRelaxed {
    return internal({
      to: jettonWalletAddress(owner, this.params),
      bounce: true,
      value: DEPOSIT_ATTACH,
      body: jettonTransferBody({ amount, to: this.address, excessTo: owner, forwardTon: FORWARD_TON }),
    })
  }

  /** To be sent by the payee. `amount` is the new cumulative total. */
  settle(amount: bigint, ceiling: bigint, signature: Uint8Array): MessageRelaxed {
    return this.message(JETTON_ATTACH, settleBody(amount, ceiling, signature))
  }

  /** To be sent by the payer. */
  startClose(): MessageRelaxed {
    return this.message(ATTACH, startCloseBody())
  }

  /**
   * To be sent by anyone, twice: once the challenge period is over it pays the rest to the payer, and a day later it
   * removes the contract.
   */
  finishClose(): MessageRelaxed {
    return this.message(JETTON_ATTACH, finishCloseBody())
  }

  /** To be sent by the payer, with the payee's release of `amount` in all. */
  coopClose(amount: bigint, signature: Uint8Array): MessageRelaxed {
    return this.message(2n * JETTON_ATTACH, coopCloseBody(amount, signature))
  }

  /** To be sent by anyone: orders again what bounced, the payee's first. */
  retry(): MessageRelaxed {
    return this.message(JETTON_ATTACH, retryBody())
  }

  /**
   * To be sent by the payer, when nothing is owed to anyone: fetches `amount` jettons that the channel was never told
   * of. Works on a channel that is finished or was never opened in time; it brings the code again if that is gone.
   */
  sweep(amount: bigint): MessageRelaxed {
    return this.message(JETTON_ATTACH, sweepBody(amount), true)
  }

  /** Reads the state through the get method `get_channel`. */
  async getState(provider: ContractProvider): Promise<JettonChannelState> {
    const { stack } = await provider.get('get_channel', [])
    return {
      deposited: stack.readBigNumber(),
      settled: stack.readBigNumber(),
      closeAt: stack.readNumber(),
      unpaidPayee: stack.readBigNumber(),
      unpaidPayer: stack.readBigNumber(),
      finished: stack.readBoolean(),
    }
  }

  private message(value: bigint, body: Cell, deploys = false): MessageRelaxed {
    return internal({ to: this.address, bounce: true, value, body, ...(deploys ? { init: this.init } : {}) })
  }
}

/**
 * Asks the master whether the channel's jetton wallet is where the channel will look for it (TEP-89). Payer and payee
 * both ask before they trust the channel: with another wallet code or layout no deposit would ever be credited.
 * @throws ContractsError ERR_JETTON_WALLET, ERR_CHAIN_GET_METHOD
 */
export async function requireSameWallet(params: JettonChannelParams, chain: Chain): Promise<void> {
  const { address, jettonWallet } = new JettonChannel(params)
  const owner = beginCell().storeAddress(address).endCell()
  const answer = await chain.get(params.master, 'get_wallet_address', [{ type: 'slice', cell: owner }])
  if (answer.readAddress().equals(jettonWallet)) return
  throw new ContractsError(
    'ERR_JETTON_WALLET',
    'walletCode: the master puts the wallet at another address; take the code from get_jetton_data of the master',
  )
}
