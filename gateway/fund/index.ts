/** Paying into and closing channels from a wallet whose key is elsewhere. See README.md. */

export { AskedWallet, DEFAULT_PATIENCE } from './asked-wallet.ts'
export { FundError, type FundErrorCode } from './errors.ts'
export {
  orderOf,
  type PaymentOrder,
  type TonConnectRequest,
  tonConnectRequest,
  tonkeeperLink,
  tonLink,
} from './order.ts'
export { type PaymentPage, servePaymentPage } from './page/server.ts'
export {
  type PaymentStatus,
  type PaymentStep,
  type PaymentView,
  type PriceTable,
  SENT,
  type ViewRow,
  WAITING,
} from './page/view.ts'
export { svgQr, terminalQr } from './qr.ts'
