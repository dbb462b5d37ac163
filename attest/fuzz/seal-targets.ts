/** Targets of what a relay hands to an enclave, and an enclave to its payer. */

import { sign } from 'node:crypto'
import { concat, toBase64Url, utf8 } from '../bytes.ts'
import { canonicalBytes } from '../json.ts'
import { receiptMessage, verifyReceipt } from '../receipt/index.ts'
import { sampleStatement } from '../receipt/testing.ts'
import { parseContext } from '../seal/context.ts'
import { fixedKey, fixture, plaintextCipher, responsePair } from '../seal/testing.ts'
import type { Target } from './fuzz.ts'
import { readJson } from './input.ts'

const made = fixture()
const signer = fixedKey(9)

/** A receipt's payload, to be signed whatever it says: so that mutation reaches what is behind the signature. */
const payload = { v: 1, ...sampleStatement, details: '07'.repeat(32) }

/** The frames of a whole response whose cipher is switched off. */
function response(): Uint8Array {
  const { sealer } = responsePair({ cipher: plaintextCipher })
  return concat(sealer.start(), sealer.frame(1, utf8('data: {}\n\n')), sealer.pad(), sealer.final(utf8('{}')))
}

export const SEAL_TARGETS: Readonly<Record<string, Target>> = {
  'sealed-request': {
    reads: 'sealed requests; frames without their encryption, so that mutation reaches what is inside',
    seeds: async () => {
      const { request } = await (await made).seal(utf8('{"model":"m"}'), {}, { cipher: plaintextCipher })
      return [request]
    },
    parse: async (bytes) => (await made).open(bytes, { cipher: plaintextCipher }),
  },
  'seal-context': {
    reads: 'the clear context of sealed requests',
    seeds: async () => [canonicalBytes((await (await made).seal(utf8('{}'))).ctx)],
    parse: parseContext,
  },
  'sealed-response': {
    reads: 'sealed responses; frames without their encryption',
    seeds: () => [response()],
    parse: (bytes) => {
      const opener = responsePair({ cipher: plaintextCipher }).opener()
      opener.push(bytes)
      opener.end()
    },
  },
  receipt: {
    reads: 'receipts: the outer form, then any payload under a good signature',
    seeds: () => [canonicalBytes(payload)],
    parse: (bytes) => {
      const signature = sign(null, receiptMessage(bytes), signer.privateKey)
      const receipt = { payload: toBase64Url(bytes), signature: toBase64Url(new Uint8Array(signature)) }
      return verifyReceipt(receipt, signer.publicKey)
    },
  },
  'receipt-form': {
    reads: 'receipts as they are stored and sent',
    seeds: () => {
      const bytes = canonicalBytes(payload)
      const signature = new Uint8Array(sign(null, receiptMessage(bytes), signer.privateKey))
      return [canonicalBytes({ payload: toBase64Url(bytes), signature: toBase64Url(signature) })]
    },
    parse: (bytes) => verifyReceipt(readJson(bytes), signer.publicKey),
  },
}
