/** What the ledger's tests share: a ledger in a temporary folder with a real voucher key. */

import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ledger } from '../ledger.ts'
import type { ApiKey, ChargeRequest, KeyLimits, LedgerPlace, LedgerSettings } from '../types.ts'
import { newPlace } from './place.ts'

export const NOON = Date.UTC(2026, 10, 22, 12)

export const { privateKey, publicKey } = generateKeyPairSync('ed25519')

/** Stand-in for the voucher's hash: the ledger does not know its form. */
export const voucherMessage = (channel: string, ceiling: bigint) =>
  createHash('sha256').update(`${channel}|${ceiling}`).digest()

export interface Bench {
  ledger: Ledger
  place: LedgerPlace
  /** The path of the SQLite file, where it is one. */
  file: string
  key: ApiKey
  secret: string
  clock: { now: number }
  signed: { channel: string; ceiling: bigint }[]
  warnings: string[]
  reopen(options?: Partial<LedgerSettings>): Promise<Ledger>
  keyWith(limits: KeyLimits): Promise<ApiKey>
  end(): Promise<void>
}

/** A ledger with client channel `C` (1,000 deposited) and worker channel `W` (`workerDeposit`, 1,000 unless told). */
export async function setUp(
  options: Partial<LedgerSettings> & { workerDeposit?: bigint } = {},
): Promise<Bench> {
  const dir = mkdtempSync(join(tmpdir(), 'chrysalis-ledger-'))
  const place = await newPlace(dir)
  const clock = { now: NOON }
  const signed: Bench['signed'] = []
  const warnings: string[] = []
  const { workerDeposit = 1000n, ...rest } = options
  const open = (more: Partial<LedgerSettings> = {}) =>
    Ledger.open({
      ...place,
      now: () => clock.now,
      signVoucher: (channel, ceiling) => {
        signed.push({ channel, ceiling })
        return sign(null, voucherMessage(channel, ceiling), privateKey)
      },
      onWarning: (message) => warnings.push(message),
      ...rest,
      ...more,
    })
  const ledger = await open()
  await ledger.putChannel({ id: 'C', address: 'EQC', role: 'client', params: '{"c":1}', deposited: 1000n })
  await ledger.putChannel({ id: 'W', address: 'EQW', role: 'worker', params: '{}', deposited: workerDeposit })
  const { key, secret } = await ledger.keys.create({ name: 'test', channel: 'C' })
  const bench: Bench = {
    ledger,
    place,
    file: join(dir, 'ledger.sqlite'),
    key,
    secret,
    clock,
    signed,
    warnings,
    keyWith: async (limits) =>
      (await bench.ledger.keys.create({ name: 'limited', channel: 'C', limits })).key,
    reopen: async (more) => {
      await bench.ledger.close()
      bench.ledger = await open(more)
      return bench.ledger
    },
    end: async () => {
      await bench.ledger.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  return bench
}

export const worker = { id: 'worker-1', bootId: 'boot-1' }

export function reservation(requestId: string, key: ApiKey, maxCharge: bigint, more: object = {}) {
  return { requestId, channel: 'C', key: key.id, worker, maxCharge, ...more }
}

export function chargeOf(requestId: string, clientCharge: bigint, workerCharge: bigint): ChargeRequest {
  return {
    requestId,
    clientCharge,
    workerCharge,
    workerChannel: 'W',
    receipt: { payload: `payload-of-${requestId}`, signature: 'signature' },
    receiptDigest: createHash('sha256').update(requestId).digest('hex'),
  }
}
