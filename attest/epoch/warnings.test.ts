import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

// Node warns when WebCrypto's ML-KEM is touched, even by a question whether it is there. The library's own KEM would.
const program = `
  await import('${new URL('../index.ts', import.meta.url)}')
  const { generateKemKeyPair, setupSender } = await import('${new URL('./kem.ts', import.meta.url)}')
  const pair = await generateKemKeyPair()
  const { enc } = await setupSender(pair.publicKey, new Uint8Array(1))
  await pair.setup(enc, new Uint8Array(1))
`

it('neither importing attest nor sealing to a key prints a warning', async () => {
  const args = ['--input-type=module', '--eval', program]
  // Without the options that silence warnings in the test runner's own processes.
  const { NODE_OPTIONS: _, NODE_NO_WARNINGS: __, ...env } = process.env
  const { stderr } = await promisify(execFile)(process.execPath, args, { env })
  expect(stderr).toBe('')
})
