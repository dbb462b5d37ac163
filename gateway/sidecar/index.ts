/** The sidecar: an OpenAI address on one's own machine that pays a gateway request by request. See README.md. */

export { Accounts, type Ending } from './accounts.ts'
export { SidecarError, type SidecarErrorCode } from './errors.ts'
export {
  ChannelFolder,
  type ChannelRecord,
  findChannel,
  type Movement,
  readChannels,
  SidecarFolder,
} from './folder.ts'
export { type ModelPrices, readPrices } from './prices.ts'
export { type Sidecar, type SidecarOptions, startSidecar } from './server.ts'
export { SidecarState } from './state.ts'
export type { Halt, PaidRequest } from './state-file.ts'
