/** Epoch keys: short-lived X-Wing keys and the replay sets that live and die with them. */

export { EPOCH_ID_BYTES, Epoch, epochId } from './epoch.ts'
export {
  EpochKeys,
  type EpochKeysOptions,
  MAX_LIFETIME_MS,
  SENDER_MARGIN_MS,
  type Timer,
} from './epoch-keys.ts'
export { ENC_BYTES, PUBLIC_KEY_BYTES } from './kem.ts'
export { DEFAULT_REPLAY_LIMITS, type ReplayEntry, type ReplayLimits } from './replay.ts'
