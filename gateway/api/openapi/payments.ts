/** The routes of those who pay without an API key. */

import {
  about,
  amount,
  anyMap,
  bool,
  count,
  list,
  literal,
  named,
  nullable,
  record,
  string,
} from '../../../worker/protocol/documents/schema.ts'
import { storedReceipt } from './gateway.ts'
import type { Operation, Parameter } from './operation.ts'

const address = about(string, 'Raw address on TON: `0:` and 64 hexadecimal digits.')
const hex32 = about(string, '32 bytes in lower-case hexadecimal.')
const signature = about(string, 'base64 of 64 bytes.')

const voucher = record({ signedMaxClaimable: amount, signature })

const params = named(
  'ChannelParams',
  record({
    payer: address,
    payee: address,
    voucherKey: hex32,
    payeeKey: hex32,
    challengeSeconds: count,
    openUntil: about(count, 'Unix time in seconds.'),
    salt: hex32,
  }),
)

const terms = named(
  'PaymentRequired',
  record({
    x402Version: { type: 'integer', const: 2 },
    error: string,
    resource: record({ url: string }),
    accepts: list(
      record({
        scheme: literal('batch-settlement'),
        network: about(string, '`tvm:` and the global_id of the TON network.'),
        amount: about(amount, 'Most nanotons that the request may cost; here the least deposit.'),
        asset: literal('native'),
        payTo: address,
        maxTimeoutSeconds: count,
        extra: record(
          { codeHash: hex32, payeeKey: hex32, challengeSeconds: count, minDeposit: amount },
          { ceiling: amount, channelState: anyMap, voucherState: voucher },
        ),
      }),
    ),
  }),
)

const priceList = named(
  'PriceList',
  record({
    object: literal('list'),
    currency: literal('TON'),
    unit: literal('nanoton per million tokens'),
    data: list(
      record({
        model: string,
        prompt: amount,
        cached: about(amount, 'For prompt tokens that came from a cache of the same channel or key.'),
        completion: amount,
        reasoning: amount,
      }),
    ),
  }),
)

const channel = named(
  'Channel',
  record({
    object: literal('channel'),
    id: address,
    network: string,
    params,
    state: literal('open', 'closing', 'closed'),
    deposited: about(amount, 'Nanotons, in all; so are the following.'),
    settled: amount,
    charged: amount,
    reserved: about(amount, 'Held for requests that run.'),
    close_at: about(count, 'When the challenge period of a close ends, Unix time in seconds; 0: none runs.'),
    voucher: about(nullable(voucher), 'The highest voucher that the gateway holds.'),
  }),
)

const receipts = named(
  'Receipts',
  record({ object: literal('list'), data: list(storedReceipt), has_more: bool }),
)

export const release = named(
  'ChannelRelease',
  record({
    object: literal('channel.release'),
    amount: about(amount, 'What the gateway gets, nanotons in all.'),
    release: signature,
  }),
)

const ADDRESS: Parameter = {
  name: 'address',
  in: 'path',
  about: 'Of the channel, in any notation.',
  schema: { type: 'string' },
}

const OWN =
  'Needs `PAYMENT-SIGNATURE` by the voucher key of this very channel; its path is signed as it is sent.'

export const paymentOperations: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/payment',
    id: 'paymentTerms',
    tag: 'Payment',
    summary: 'Terms',
    about:
      'What this gateway asks of those who pay without an API key: x402, scheme `batch-settlement`, on channels of TON. Every 402 says the same in its `PAYMENT-REQUIRED` header. Take the hash of the contract from your own program, never from here.',
    answer: { about: 'As in `PAYMENT-REQUIRED`.', schema: terms },
    errors: [],
  },
  {
    method: 'get',
    path: '/v1/payment/prices',
    id: 'paymentPrices',
    tag: 'Payment',
    summary: 'Prices',
    about:
      'What the models cost that can be had now. It is what the gateway says; what a request is charged by is the price list that the enclave signs with its receipt.',
    answer: { about: 'A price list of each model.', schema: priceList },
    errors: [],
  },
  {
    method: 'get',
    path: '/v1/channels/{address}',
    id: 'retrieveChannel',
    tag: 'Payment',
    summary: 'Your channel',
    about: `Where a channel stands, with what a payer needs to go on after it lost everything but its key. ${OWN}`,
    key: 'payment',
    parameters: [ADDRESS],
    answer: { about: 'The channel.', schema: channel },
    errors: [400, 401, 402, 404, 409, 429, 503],
  },
  {
    method: 'get',
    path: '/v1/channels/{address}/receipts',
    id: 'listReceipts',
    tag: 'Payment',
    summary: 'Receipts of your channel',
    about: `All that the channel was charged for, in the order of charging. ${OWN}`,
    key: 'payment',
    parameters: [
      ADDRESS,
      { name: 'after', in: 'query', about: 'Id of the last one that you have.', schema: { type: 'string' } },
      {
        name: 'limit',
        in: 'query',
        about: 'Most of one page.',
        schema: { type: 'integer', minimum: 1, maximum: 100, default: 100 },
      },
    ],
    answer: { about: 'A page.', schema: receipts },
    errors: [400, 401, 402, 404, 409, 429, 503],
  },
  {
    method: 'post',
    path: '/v1/channels/{address}/close',
    id: 'closeChannel',
    tag: 'Payment',
    summary: 'Close your channel',
    about: `Takes no new requests from now on, waits for those that run, and answers with the signature by which the payer closes the channel on the chain at once. Nothing is settled. May be repeated. ${OWN}`,
    key: 'payment',
    parameters: [ADDRESS],
    answer: { about: 'For `coop_close`.', schema: release },
    errors: [400, 401, 402, 404, 409, 429, 503],
  },
]
