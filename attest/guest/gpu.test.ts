import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, toBase64, toHex, utf8 } from '../bytes.ts'
import { parseNvattest } from './gpu.ts'
import { collectGpuEvidence, GuestError } from './index.ts'
import { type Answer, fakeExec } from './testing.ts'

const NONCE = Uint8Array.from({ length: 32 }, (_, i) => i)
const HEX = toHex(NONCE)

/** What nvattest 1.x prints for a device; members that we do not use are among it. */
const device = (change: Record<string, unknown> = {}) => ({
  version: '1.0',
  arch: 'HOPPER',
  nonce: HEX,
  vbios_version: '96.00.9f.00.01',
  driver_version: '580.65.06',
  certificate: toBase64(utf8('-----BEGIN CERTIFICATE-----')),
  evidence: toBase64(Uint8Array.of(0x11, 0xe0)),
  ...change,
})
const output = (evidences: unknown, change: Record<string, unknown> = {}) =>
  JSON.stringify({ evidences, result_code: 0, result_message: 'Ok', ...change }, undefined, 4)

const GPU = '/usr/bin/nvattest collect-evidence --device gpu'
const SWITCH = '/usr/bin/nvattest collect-evidence --device nvswitch'
const ask = (answers: Record<string, Answer>, switches = false) =>
  collectGpuEvidence(NONCE, { exec: fakeExec(answers), switches })

describe('GPU evidence', () => {
  it('is asked for over the nonce and given in our form', async () => {
    const exec = fakeExec({ [GPU]: output([device(), device({ arch: 'BLACKWELL' })]) })
    const evidence = JSON.parse(fromUtf8(await collectGpuEvidence(NONCE, { exec })))
    expect(exec.calls).toEqual([`${GPU} --nonce ${HEX} --format json`])
    const { arch, certificate, evidence: report, nonce } = device()
    expect(evidence).toEqual({
      format: 'chrysalis/gpu-evidence/1',
      devices: [
        { arch, certificate, evidence: report, nonce },
        { arch: 'BLACKWELL', certificate, evidence: report, nonce },
      ],
    })
  })

  it('has the switches behind the GPUs when they are asked for', async () => {
    const answers = { [GPU]: output([device()]), [SWITCH]: output([device({ arch: 'LS10' })]) }
    const evidence = JSON.parse(fromUtf8(await ask(answers, true)))
    expect(evidence.devices.map(({ arch }: { arch: string }) => arch)).toEqual(['HOPPER', 'LS10'])
  })

  it('is the same bytes for the same devices', async () => {
    const [one, two] = [await ask({ [GPU]: output([device()]) }), await ask({ [GPU]: output([device()]) })]
    expect(toHex(one)).toBe(toHex(two))
  })

  it('has the nonce in lower case, however the tool prints it', async () => {
    const evidence = await ask({ [GPU]: output([device({ nonce: HEX.toUpperCase() })]) })
    expect(JSON.parse(fromUtf8(evidence)).devices[0].nonce).toBe(HEX)
  })

  it.each<[string, Answer, RegExp]>([
    ['a tool that is not there', { code: 'ENOENT' }, /not installed.*package nvattest/],
    ['a tool that hangs', { code: 'ETIMEDOUT' }, /no answer in 60 s/],
    ['a tool that may not run', { code: 'EACCES' }, /cannot be run: EACCES/],
    ['output that is too long', { code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' }, /cannot be run/],
    [
      'a tool that fails with JSON',
      { status: 16, stdout: output(null, { result_code: 16, result_message: 'NVML init failed' }) },
      /ended with 16: NVML init failed/,
    ],
    ['a tool that fails with words', { status: 1, stderr: 'info\nno driver\n' }, /ended with 1: no driver/],
    ['a tool that prints nothing', '', /did not print the JSON/],
    ['a result code', output([device()], { result_code: 3, result_message: 'Bad' }), /result 3 Bad/],
    ['no GPU', output([]), /found no gpu/],
    ['no list', output(null), /found no gpu/],
    ['an old nonce', output([device(), device({ nonce: '00'.repeat(32) })]), /old evidence/],
    ['a nonce of another length', output([device({ nonce: '00' })]), /did not print the JSON/],
    ['evidence that is no base64', output([device({ evidence: '***' })]), /ended with 0/],
    ['evidence that is not canonical', output([device({ evidence: 'EeF=' })]), /canonical base64/],
    ['no certificate', output([device({ certificate: undefined })]), /ended with 0/],
    ['an endless report', output([device({ evidence: 'A'.repeat(400_000) })]), /ended with 0/],
    ['too many devices', output(Array(65).fill(device())), /ended with 0/],
  ])('of %s is refused', async (_, answer, message) => {
    const work = ask({ [GPU]: answer })
    await expect(work).rejects.toThrow(GuestError)
    await expect(work).rejects.toMatchObject({ code: 'ERR_GUEST_GPU' })
    await expect(work).rejects.toThrow(message)
  })

  it('over a nonce of another length is refused, and no tool is started', async () => {
    const exec = fakeExec({})
    await expect(collectGpuEvidence(new Uint8Array(31), { exec })).rejects.toThrow('31 bytes')
    expect(exec.calls).toEqual([])
  })

  it('of any output is parsed or undefined, never an error', () => {
    const text = output([device()])
    for (let cut = 0; cut < text.length; cut++)
      expect(parseNvattest(utf8(text.slice(0, cut)))).toBeUndefined()
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseNvattest(bytes)))
    fc.assert(fc.property(fc.json(), (json) => void parseNvattest(utf8(json))))
    expect(parseNvattest(utf8(text))?.evidences).toHaveLength(1)
  })
})
