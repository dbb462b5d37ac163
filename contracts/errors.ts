/**
 * The error family of the TON side. `code` is stable and is the API: match on it, never on the message. Messages
 * name the field, what is wrong with it and the cure; they never hold keys.
 */
export class ContractsError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** Exit codes that mean the same in both kinds of channel. */
const SHARED_EXIT = {
  NOT_PAYEE: 201,
  NOT_PAYER: 202,
  NOT_ABOVE_SETTLED: 203,
  ABOVE_CEILING: 204,
  ABOVE_DEPOSIT: 205,
  BAD_SIGNATURE: 206,
  LOW_VALUE: 207,
  CLOSING: 208,
  NOT_CLOSING: 209,
  TOO_EARLY: 210,
  OPEN_EXPIRED: 211,
} as const

/** Exit codes of the channel contract (contracts/channel/channel.tolk), by name. */
export const CHANNEL_EXIT = {
  ...SHARED_EXIT,
  RENT_DUE: 212,
  ZERO_AMOUNT: 213,
  UNKNOWN_OP: 0xffff,
} as const

/** Exit codes of the jetton channel (contracts/jetton/jetton-channel.tolk), by name. */
export const JETTON_CHANNEL_EXIT = {
  ...SHARED_EXIT,
  NOTHING_OWED: 214,
  STILL_OWED: 215,
  UNKNOWN_OP: 0xffff,
} as const

export type ChannelExitName = keyof typeof CHANNEL_EXIT

/** The name of an exit code of the channel contract, or undefined for one of the TVM itself. */
export function channelExitName(exitCode: number): ChannelExitName | undefined {
  return exitName(CHANNEL_EXIT, exitCode)
}

/** The name that a contract's table has for an exit code. */
export function exitName<T extends Readonly<Record<string, number>>>(
  exits: T,
  exitCode: number,
): (keyof T & string) | undefined {
  return Object.keys(exits).find((name) => exits[name] === exitCode)
}
