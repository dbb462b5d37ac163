import type { PaymentOrder } from '../order.ts'

/** What a person is asked to pay, in words: the same in a terminal and on the page. */
export interface PaymentView {
  readonly order: PaymentOrder
  /** What paying does, e.g. `Open a payment channel`. */
  readonly title: string
  /** Address of the gateway. */
  readonly gateway: string
  readonly rows: readonly ViewRow[]
  /** Sum of it all, as the wallet will show it, e.g. `5.030000000 TON`. */
  readonly total: string
  /** What a model costs, where paying is about that. */
  readonly prices?: PriceTable
  /** What paying means, one paragraph after the other. */
  readonly meaning: readonly string[]
}

export interface ViewRow {
  readonly name: string
  /** With its unit. */
  readonly amount: string
  readonly note?: string
}

/** Prices as cells of text. */
export interface PriceTable {
  /** What the numbers are of, e.g. `TON per million tokens`. */
  readonly unit: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Where a payment stands. All but `waiting` follow from final blocks. */
export type PaymentStep = 'waiting' | 'sent' | 'final' | 'failed'

export interface PaymentStatus {
  readonly step: PaymentStep
  /** A sentence for the person. */
  readonly text: string
}

export const WAITING: PaymentStatus = { step: 'waiting', text: 'Waiting for your wallet.' }

/** What a wallet sent may be anything: it counts when the contract shows it. */
export const SENT: PaymentStatus = {
  step: 'sent',
  text:
    'Your wallet has sent something. It counts when the chain shows it, usually within half a minute. If your wallet ' +
    'shows the money coming back, it left out part of the link: use TON Connect or another wallet.',
}
