import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromBase64, fromHex, fromUtf8, toBase64, toHex } from '../bytes.ts'
import { parseGpuDocument } from '../gpu/index.ts'
import { FakeGuest } from '../guest/testing.ts'
import { SimulatedGpus } from '../simulate/gpu.ts'
import { openTee, simulatedRootOf, type TeeOptions, whichTee } from './open-tee.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrysalis-tee-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const model = { id: 'm', sha256: 'ab'.repeat(32), quantization: 'q8', contextLength: 9 }
const options = (changes: Partial<TeeOptions> = {}): TeeOptions => ({
  kind: 'simulated-tdx',
  folder,
  role: 'worker',
  software: { version: '1', commit: 'c' },
  models: [{ ...model, tokenizerSha256: model.sha256, templateSha256: model.sha256 }],
  configuration: { sequences: 4 },
  now: Date.now,
  ...changes,
})

/** Names and payloads of our events in a log. */
function eventsOf(log: Uint8Array | undefined): [string, unknown][] {
  const { events } = JSON.parse(fromUtf8(log ?? new Uint8Array())) as {
    events: { name: string; payload: string }[]
  }
  return events.map(({ name, payload }) => [name, JSON.parse(fromUtf8(fromBase64(payload)))])
}

const expected = [
  ['chrysalis.software', { version: '1', commit: 'c' }],
  ['chrysalis.configuration', { sequences: 4 }],
  ['chrysalis.model', options().models[0]],
]

describe('which TEE', () => {
  const elsewhere = () => new FakeGuest().without('/sys/class/misc/tdx_guest').without('/proc/cpuinfo')

  it('is the guest around us, where there is one', async () => {
    expect(await whichTee('auto', { files: new FakeGuest() })).toBe('tdx')
    expect(await whichTee('tdx', { files: new FakeGuest() })).toBe('tdx')
    expect(await whichTee('simulated', { files: new FakeGuest() })).toBe('simulated-tdx')
  })

  it('is the simulated one elsewhere, unless tdx was asked for', async () => {
    expect(await whichTee('auto', { files: elsewhere() })).toBe('simulated-tdx')
    const failed = whichTee('tdx', { files: elsewhere() })
    await expect(failed).rejects.toMatchObject({ code: 'ERR_NOT_TDX_GUEST' })
    await expect(failed).rejects.toThrow(/^not a TDX guest: /)
  })

  it('is never a simulated one in a TD that only lacks its driver', async () => {
    const files = new FakeGuest().without('/sys/class/misc/tdx_guest')
    await expect(whichTee('auto', { files })).rejects.toThrow(/modprobe tdx_guest/)
  })
})

describe('the simulated TEE', () => {
  it('has the root of its folder and measures what it is told', async () => {
    const { tee, accelerators } = await openTee(options())
    expect([tee.kind, accelerators]).toEqual(['simulated-tdx', []])
    expect('rootSha256' in tee && tee.rootSha256).toBe(await simulatedRootOf(folder, Date.now))
    expect(eventsOf(await tee.eventLog?.())).toEqual(expected)
    expect(await tee.gpu?.(new Uint8Array(32))).toBeUndefined()
  })

  it('has simulated GPUs when they are wanted, each in the claims', async () => {
    const { tee, accelerators } = await openTee(options({ simulateGpus: 2 }))
    expect(accelerators).toHaveLength(2)
    const nonce = new Uint8Array(32).fill(5)
    const { devices } = parseGpuDocument((await tee.gpu?.(nonce)) ?? new Uint8Array())
    expect(devices.map((device) => toHex(device.nonce))).toEqual([toHex(nonce), toHex(nonce)])
  })
})

describe('a TDX guest', () => {
  it('measures what it is told, once, and gives its lock back', async () => {
    const files = new FakeGuest()
    const machine = { files, pid: 100 }
    const { tee, accelerators, close } = await openTee(options({ kind: 'tdx', machine }))
    expect([tee.kind, accelerators]).toEqual(['tdx', []])
    expect(eventsOf(await tee.eventLog?.())).toEqual(expected)
    expect(files.rtmr[3].some((byte) => byte !== 0)).toBe(true)
    await expect(openTee(options({ kind: 'tdx', machine: { files, pid: 200 } }))).rejects.toMatchObject({
      code: 'ERR_GUEST_LOCKED',
    })
    await close()
    await (await openTee(options({ kind: 'tdx', machine: { files, pid: 200 } }))).close()
  })

  it('names the GPUs that it computes on as they describe themselves', async () => {
    const gpus = SimulatedGpus.ephemeral({ now: Date.now, count: 2 })
    const asked: string[] = []
    const exec = async (program: string, args: readonly string[]) => {
      asked.push([program, ...args].join(' '))
      const nonce = fromHex(args[args.indexOf('--nonce') + 1] ?? '')
      const evidences = parseGpuDocument(await gpus.evidence(nonce)).devices.map((device) => ({
        arch: device.arch,
        certificate: Buffer.from(device.certificate).toString('base64'),
        evidence: toBase64(device.evidence),
        nonce: toHex(device.nonce),
      }))
      const stdout = Buffer.from(JSON.stringify({ result_code: 0, evidences }))
      return { status: 0, stdout: new Uint8Array(stdout), stderr: '' }
    }
    const machine = { files: new FakeGuest(), pid: 100, exec }
    const opened = await openTee(options({ kind: 'tdx', machine, usesGpus: true }))
    expect(opened.accelerators).toEqual(gpus.accelerators)
    const nonce = new Uint8Array(32).fill(7)
    await opened.tee.gpu?.(nonce)
    expect(asked.at(-1)).toContain(toHex(nonce))
    await opened.close()
  })

  it('has no simulated GPUs', async () => {
    const machine = { files: new FakeGuest(), pid: 100 }
    await expect(openTee(options({ kind: 'tdx', machine, simulateGpus: 1 }))).rejects.toThrow(/simulateGpus/)
  })
})
