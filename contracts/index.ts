/** The TON side of Chrysalis: payment channel, vouchers, wallet, chain. See README.md. */

export { friendlyAddress } from './address.ts'
export { formatTon, formatUsd, larger, least, NANO, parseTon, parseUsdRate, type UsdRate } from './amount.ts'
export { connectLocalChain, type LocalChain } from './chain/local/client.ts'
export { networkGlobalId, openChain } from './chain/open.ts'
export type { FeePrices } from './chain/prices.ts'
export { type ChainSettings, chainSettings } from './chain/settings.ts'
export { connectToncenter, type ToncenterChain, type ToncenterOptions } from './chain/toncenter/chain.ts'
export type { ProviderOptions } from './chain/toncenter/endpoint.ts'
export { MAINNET, TESTNET, type TonNetwork } from './chain/toncenter/networks.ts'
export { type AccountSnapshot, type Chain, LOCAL_GLOBAL_ID } from './chain/types.ts'
export { Channel } from './channel/channel.ts'
export {
  type ChannelExpectations,
  type CheckedChannel,
  type Claim,
  checkChannel,
  MAX_CHALLENGE_SECONDS,
  MIN_CHALLENGE_SECONDS,
  readChannel,
  readChannelState,
  requireClaim,
} from './channel/check.ts'
export { ChannelClient, isTombstone } from './channel/client.ts'
export { CHANNEL_CODE_HASH, channelCode } from './channel/code.ts'
export { ATTACH, OP, RENT_RESERVE } from './channel/messages.ts'
export {
  type ChannelParams,
  type ChannelParamsJson,
  type ChannelState,
  channelAddress,
  channelInit,
  channelParamsFromJson,
  channelParamsSchema,
  channelParamsToJson,
  parseChannelData,
} from './channel/params.ts'
export {
  CHANNEL_EXIT,
  type ChannelExitName,
  ContractsError,
  channelExitName,
  JETTON_CHANNEL_EXIT,
} from './errors.ts'
export {
  type CheckedJettonChannel,
  checkJettonChannel,
  type JettonChannelExpectations,
  type JettonHolding,
  readJettonChannel,
  readJettonWallet,
} from './jetton/check.ts'
export { JettonChannelClient } from './jetton/client.ts'
export { JETTON_CHANNEL_CODE_HASH, jettonChannelCode } from './jetton/code.ts'
export { JettonChannel, requireSameWallet } from './jetton/jetton-channel.ts'
export { JETTON_ATTACH, JETTON_OP, JETTON_RENT_RESERVE } from './jetton/messages.ts'
export {
  type JettonChannelParams,
  type JettonChannelParamsJson,
  type JettonChannelState,
  jettonChannelAddress,
  jettonChannelInit,
  jettonChannelParamsFromJson,
  jettonChannelParamsSchema,
  jettonChannelParamsToJson,
  jettonWalletAddress,
  parseJettonChannelData,
} from './jetton/params.ts'
export { requireAskable, requireSigned } from './registry/check.ts'
export { RegistryClient } from './registry/client.ts'
export { REGISTRY_CODE_HASH, registryCode } from './registry/code.ts'
export {
  type Entry,
  gatewayEntry,
  measurementEntry,
  modelEntry,
  platformKey,
  type RegistryGateway,
  type RegistryMeasurement,
  type RegistryModel,
} from './registry/entries.ts'
export { REGISTRY_EXIT, type RegistryExitName, registryExitName } from './registry/exits.ts'
export { type FollowOptions, RegistryFollower } from './registry/follow.ts'
export {
  gatewayKey,
  parseText,
  parseWith,
  registryParamsFromJson,
  stepFromJson,
  stepsSchema,
  stepToJson,
} from './registry/json.ts'
export { FileMarks } from './registry/marks.ts'
export { createOwnerKey, readOwnerKey } from './registry/owner-key.ts'
export {
  type MarkStore,
  type ReaderOptions,
  RegistryReader,
  type RegistryState,
  readGovernance,
  readRegistry,
  type SnapshotMark,
} from './registry/reader.ts'
export { Registry, type SignedProposal } from './registry/registry.ts'
export {
  type Asked,
  formatRequest,
  mergeRequests,
  newRequest,
  parseRequest,
  requestHash,
  type SigningRequest,
  signRequest,
} from './registry/request.ts'
export {
  openRegistry,
  type RegistrySettings,
  registryName,
  registrySettings,
} from './registry/settings.ts'
export {
  type ActTerms,
  type OwnerAct,
  type ProposalTerms,
  signAct,
  signProposal,
} from './registry/signing.ts'
export {
  type RegistryGovernance,
  type RegistryParams,
  type RegistrySnapshot,
  registryAddress,
} from './registry/state.ts'
export { GRACE_SECONDS, parseSteps, type Step, stepsCell } from './registry/steps.ts'
export { type RegistryName, registryView } from './registry/view.ts'
export { describeRequest, describeStep, moment, quoted, span, widens } from './registry/words.ts'
export { type SettleClaim, type SettleOutcome, settleBatch } from './settlement/batch.ts'
export { MAX_BATCH, settleCost } from './settlement/cost.ts'
export { LiveFees } from './settlement/fees.ts'
export {
  DEFAULT_SETTLE_POLICY,
  type Settleable,
  type SettlePolicy,
  type SettleReason,
  whySettle,
} from './settlement/policy.ts'
export {
  checkVoucherKey,
  generateKey,
  privateKeyFromSeed,
  publicKeyObject,
  rawPublicKey,
  seedOf,
} from './voucher/keys.ts'
export {
  type ReleaseTerms,
  releaseHash,
  signRelease,
  signVoucher,
  type VoucherTerms,
  verifyRelease,
  verifyVoucher,
  voucherHash,
} from './voucher/voucher.ts'
export { looks, pauseOf, type WaitOptions } from './wallet/wait.ts'
export { type MessageSender, Wallet } from './wallet/wallet.ts'
export * from './x402/index.ts'
