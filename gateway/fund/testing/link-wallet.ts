/** Reads links and requests as wallets do, and pays them. */

import { Address, Cell, internal, loadStateInit, type MessageRelaxed } from '@ton/core'
import type { SendTransactionRequest } from '@tonconnect/sdk'

/** What a wallet may not do although it was asked to. */
export interface Habits {
  ignores?: ('init' | 'bin' | 'bounce')[]
}

/** The message that a wallet makes of a `ton://transfer` link, by nothing but its text. */
export function messageOfLink(link: string, { ignores = [] }: Habits = {}): MessageRelaxed {
  const url = new URL(link)
  const address = url.protocol === 'ton:' ? url.pathname.slice(1) : url.pathname.split('/').at(-1)
  const { isBounceable, address: to } = Address.parseFriendly(address ?? '')
  const [bin, init] = (['bin', 'init'] as const).map((name) => {
    const value = url.searchParams.get(name)
    return value !== null && !ignores.includes(name)
      ? Cell.fromBoc(Buffer.from(value, 'base64url'))[0]
      : undefined
  })
  return internal({
    to,
    bounce: isBounceable && !ignores.includes('bounce'),
    value: BigInt(url.searchParams.get('amount') ?? ''),
    ...(bin && { body: bin }),
    ...(init && { init: loadStateInit(init.beginParse()) }),
  })
}

/** The messages of TON Connect's `sendTransaction`. */
export function messagesOfRequest({ messages }: SendTransactionRequest): MessageRelaxed[] {
  return messages.map(({ address, amount, payload, stateInit }) => {
    const { isBounceable, address: to } = Address.parseFriendly(address)
    const body = payload === undefined ? undefined : Cell.fromBase64(payload)
    const init = stateInit === undefined ? undefined : Cell.fromBase64(stateInit)
    return internal({
      to,
      bounce: isBounceable,
      value: BigInt(amount),
      ...(body && { body }),
      ...(init && { init: loadStateInit(init.beginParse()) }),
    })
  })
}
