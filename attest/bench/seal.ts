/**
 * What sealing costs: `node attest/bench/seal.ts`. Microseconds for each operation beside the bare cryptography under
 * it, X-Wing of node:crypto and secretbox of tweetnacl, and the ratio between the two.
 */

import { sign } from 'node:crypto'
import process from 'node:process'
import nacl from 'tweetnacl'
import { toBase64 } from '../bytes.ts'
import { randomBytes, sha256 } from '../crypto.ts'
import { EpochKeys } from '../epoch/index.ts'
import { openSealed, SenderSessions, seal } from '../seal/index.ts'
import { xwingDecapsulate, xwingEncapsulate, xwingKeyPair } from '../seal/reference.ts'
import { fixedKey } from '../seal/testing.ts'

const WARM_UP = 50

/** Median of single runs, in µs: steadier than a mean on a busy machine. */
async function median(runs: number, action: (run: number) => unknown): Promise<number> {
  const times: number[] = []
  for (let run = -WARM_UP; run < runs; run++) {
    const start = process.hrtime.bigint()
    await action(run)
    if (run >= 0) times.push(Number(process.hrtime.bigint() - start) / 1000)
  }
  times.sort((a, b) => a - b)
  return times[times.length >> 1] ?? Number.NaN
}

function row(name: string, ours: number, bare: number): void {
  const cells = [name.padEnd(34), ours.toFixed(1).padStart(10), bare.toFixed(1).padStart(10)]
  process.stdout.write(`${cells.join('')}${(ours / bare).toFixed(2).padStart(9)}\n`)
}

const payer = fixedKey(7)
const claimsDigest = sha256(new Uint8Array(1))
const epochs = await EpochKeys.create({ now: Date.now, monotonic: () => performance.now() })
const epoch = epochs.current()
epoch.bindClaims(claimsDigest)
const { id, publicKey, notAfter } = epoch
let serial = 0

function sealBody(body: Uint8Array, sessions?: SenderSessions) {
  return seal({
    ...(sessions && { sessions }),
    epoch: { id, publicKey, notAfter, claimsDigest },
    context: {
      requestId: `req-${++serial}`,
      tee: 'simulated-tdx',
      gateway: 'gateway-1',
      method: 'POST',
      path: '/v1/chat/completions',
      model: { id: 'chrysalis-tiny', sha256: 'ab'.repeat(32) },
      payer: { kind: 'channel', key: toBase64(payer.publicKey), channel: 'EQ', account: 'a' },
      quoteDigest: 'cd'.repeat(32),
      maxCharge: '1000000',
      maxPromptTokens: 4096,
      maxOutputTokens: 256,
      n: 1,
      responseMode: { stream: true, padding: 'bucket', cadence: 0 },
      deadline: Date.now() + 600_000,
    },
    body,
    sign: (message) => sign(null, message, payer.privateKey),
    now: Date.now,
  })
}

process.stdout.write(
  `${'µs, median'.padEnd(34)}${'ours'.padStart(10)}${'bare'.padStart(10)}${'ratio'.padStart(9)}\n`,
)

const pair = xwingKeyPair(randomBytes(32))
const bareEncapsulate = await median(400, () => xwingEncapsulate(pair.publicKey))
const { enc } = xwingEncapsulate(pair.publicKey)
const bareDecapsulate = await median(400, () => xwingDecapsulate(pair, enc))
const key = randomBytes(32)
const nonce = randomBytes(24)

for (const kib of [1, 64]) {
  const body = randomBytes(kib * 1024 - 100)
  const runs = 200
  const sealed: Uint8Array[] = []
  for (let i = 0; i < runs + WARM_UP; i++) sealed.push((await sealBody(body)).request)
  const box = await median(runs, () => nacl.secretbox(body, nonce, key))
  const closed = nacl.secretbox(body, nonce, key)
  const unbox = await median(runs, () => nacl.secretbox.open(closed, nonce, key))
  row(`seal a request of ${kib} KiB`, await median(runs, () => sealBody(body)), bareEncapsulate + box)
  const options = { epochs, authKey: () => payer.publicKey, now: Date.now }
  const open = (run: number) => openSealed(sealed[run + WARM_UP] ?? body, options)
  row(`open a request of ${kib} KiB`, await median(runs, open), bareDecapsulate + unbox)
  const sessions = new SenderSessions()
  const inSession: Uint8Array[] = []
  const again = async () => inSession.push((await sealBody(body, sessions)).request)
  row(`seal ${kib} KiB in a session`, await median(runs, again), box)
  const openAgain = (run: number) => openSealed(inSession[run + WARM_UP] ?? body, options)
  row(`open ${kib} KiB of a session`, await median(runs, openAgain), unbox)
}

const last = await sealBody(randomBytes(100))
const opened = await openSealed(last.request, { epochs, authKey: () => payer.publicKey, now: Date.now })
const sealer = opened.respond()
last.open.push(sealer.start())
const token = randomBytes(200)
const plain = new Uint8Array(236)
const units: Uint8Array[] = []
const bareBox = await median(2000, () => nacl.secretbox(plain, nonce, key))
row('seal a frame of 256 bytes', await median(2000, () => units.push(sealer.frame(1, token))), bareBox)
const bareClosed = nacl.secretbox(plain, nonce, key)
const bareOpen = await median(2000, () => nacl.secretbox.open(bareClosed, nonce, key))
let next = 0
row('open a frame of 256 bytes', await median(2000, () => last.open.push(units[next++] ?? plain)), bareOpen)
epochs.close()
