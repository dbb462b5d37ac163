/** Paying into and closing channels from a wallet whose key is elsewhere. See README.md. */

export { AskedWallet, DEFAULT_PATIENCE } from './asked-wallet.ts'
export { FundError, type FundErrorCode } from './errors.ts'
export { friendly, orderOf, type PaymentOrder, tonConnectRequest, tonkeeperLink, tonLink } from './order.ts'
export { svgQr, terminalQr } from './qr.ts'
