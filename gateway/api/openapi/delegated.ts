/** The routes of those who want an API key of their own deposit. */

import { about, amount, literal, named, record, string } from '../../../worker/protocol/documents/schema.ts'
import { DELEGATED_PATHS, ownedChannelFields } from '../delegated.ts'
import type { Operation } from './operation.ts'
import { release } from './payments.ts'

const terms = named(
  'DelegatedTerms',
  record({
    object: literal('delegated.terms'),
    voucher_key: about(string, '32 bytes in lower-case hexadecimal.'),
    kept: about(
      literal('file', 'memory'),
      'Where its private half is. In memory it is another after each start: channels of the one before are settled and take no more requests.',
    ),
    cap: about(amount, 'Most of a deposit that is ever credited, nanotons.'),
  }),
)

const channel = named(
  'DelegatedChannel',
  record({
    object: literal('delegated.channel'),
    id: about(string, 'Raw address on TON.'),
    key: about(string, 'Id of the API key, for the operator.'),
    state: literal('open', 'closing', 'closed'),
    deposited: about(amount, 'What is credited, nanotons in all; so are the following.'),
    cap: about(amount, 'Most that is ever credited.'),
    settled: amount,
    charged: amount,
    reserved: about(amount, 'Held for requests that run.'),
  }),
)

const request = {
  name: 'OwnedChannel',
  table: ownedChannelFields,
  example: {
    params: {
      payer: `0:${'0a'.repeat(32)}`,
      payee: `0:${'0b'.repeat(32)}`,
      voucherKey: '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c',
      payeeKey: '8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394',
      challengeSeconds: 3600,
      openUntil: 1_800_000_000,
      salt: '03'.repeat(32),
    },
    owner: '04'.repeat(32),
    api_key: `sk-chry-${'A'.repeat(43)}`,
  },
}

export const delegatedOperations: readonly Operation[] = [
  {
    method: 'get',
    path: DELEGATED_PATHS.terms,
    id: 'delegatedTerms',
    tag: 'Payment',
    summary: 'Terms of an API key',
    about:
      'What a channel needs, besides the terms of `GET /v1/payment`, so that an API key draws on your own deposit and this gateway signs its vouchers. Whoever has that voucher key can take the whole deposit, whatever `cap` says: where you can, sign for yourself. 403 `delegated_disabled` where the operator has switched it off.',
    answer: { about: 'The terms.', schema: terms },
    errors: [403],
  },
  {
    method: 'post',
    path: DELEGATED_PATHS.open,
    id: 'openDelegated',
    tag: 'Payment',
    summary: 'Your API key',
    about:
      'After the deposit is on the chain: makes the API key that is named. May be repeated, and credits what was deposited since. The salt binds the channel to both secrets, so that nobody else can have a key made for it.',
    request,
    answer: { about: 'Where the channel stands.', schema: channel },
    errors: [400, 402, 403, 413, 415, 429, 503],
  },
  {
    method: 'post',
    path: DELEGATED_PATHS.close,
    id: 'closeDelegated',
    tag: 'Payment',
    summary: 'Close the channel of your API key',
    about:
      'Takes no new requests from now on, waits for those that run, and answers with the signature by which the payer closes the channel on the chain at once. May be repeated. Without it the payer starts to close, and has the rest after the challenge period.',
    request,
    answer: { about: 'For `coop_close`.', schema: release },
    errors: [400, 402, 403, 413, 415, 429, 503],
  },
]
