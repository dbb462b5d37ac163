/** x402 version 2 for TON channels: the codec of its headers and the signature of a request. See ../x402.md. */

export {
  decodePayment,
  decodePaymentRequired,
  decodePaymentResponse,
  encodePayment,
  encodePaymentRequired,
  encodePaymentResponse,
  MAX_HEADER_LENGTH,
  X402_HEADERS,
} from './headers.ts'
export {
  checkPaymentExpiry,
  MAX_REQUEST_SECONDS,
  type PaymentRequestTerms,
  paymentRequestId,
  paymentRequestText,
  signPaymentRequest,
  verifyPaymentRequest,
} from './request.ts'
export {
  type ChannelStateJson,
  type PaymentPayload,
  type PaymentRequired,
  type PaymentRequirements,
  type PaymentResponse,
  paymentNetwork,
  type VoucherPayload,
  type VoucherStateJson,
  X402_ASSET,
  X402_SCHEME,
  X402_VERSION,
} from './wire.ts'
