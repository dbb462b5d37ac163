import { expect, it } from 'vitest'
import type { Cipher } from '../../attest/seal/index.ts'
import { plaintextCipher } from '../../attest/seal/testing.ts'
import { findings } from './canary.ts'
import { InProcess } from './inprocess.ts'

const ASKED = 'Zanzibarquokka7391'
const ANSWERED = 'Mandrillpagoda4826'

/** Sends a canary in every kind of request, has one in every answer, and returns what was seen on the link. */
async function capture(cipher?: Cipher): Promise<Buffer> {
  await using net = await InProcess.open({
    engine: { script: () => ['I say ', ANSWERED, '.'] },
    ...(cipher && { cipher }),
  })
  const whole = await (await net.chat(ASKED)).text()
  expect(whole).toContain(ANSWERED)
  const stream = await (await net.chat(ASKED, { stream: true })).text()
  expect(stream).toContain(ANSWERED)
  const input = { input: `${ASKED} is here.`, source_language: 'en', target_language: 'de' }
  const translated = await (await net.post('/v1/translations', input)).text()
  expect(translated).toContain(ANSWERED)
  return Buffer.concat(net.proxy.captured)
}

it('finds nothing of a prompt or an answer on a sealed link', async () => {
  const wire = await capture()
  expect(wire.length).toBeGreaterThan(10_000)
  expect(findings(wire, [ASKED, ANSWERED])).toEqual([])
})

it('finds both when sealing is switched off', async () => {
  const wire = await capture(plaintextCipher)
  expect(findings(wire, [ASKED])).toContain(ASKED)
  expect(findings(wire, [ANSWERED])).toContain(ANSWERED)
})
