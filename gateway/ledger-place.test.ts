import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { ledgerPlace } from './ledger-place.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-place-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const secretFile = (text: string, mode = 0o600) => {
  const file = join(dir, 'connection')
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}

it('is a file in the data folder, or what the secret file says', async () => {
  expect(await ledgerPlace({ data: dir })).toEqual({ file: join(dir, 'ledger.sqlite') })
  const address = 'postgresql://u:p@db.example/ledger'
  expect(await ledgerPlace({ data: dir, ledgerPostgresFile: secretFile(`${address}\n`) })).toEqual({
    postgres: address,
  })
})

it('refuses a file that says nothing of the kind, without repeating it', async () => {
  for (const text of ['', 'hunter2', 'https://hunter2@db.example/', 'postgresql://u:hunter2@db a b']) {
    const refused = await ledgerPlace({ data: dir, ledgerPostgresFile: secretFile(text) }).catch(
      (error: unknown) => error,
    )
    expect(refused).toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('postgresql://USER@HOST'),
    })
    expect(String(refused)).not.toContain('hunter2')
  }
  await expect(ledgerPlace({ data: dir, ledgerPostgresFile: join(dir, 'none') })).rejects.toThrow('none')
})

it.skipIf(process.platform === 'win32')('refuses a file that others can read', async () => {
  const file = secretFile('postgresql://u:hunter2@db.example/ledger', 0o640)
  await expect(ledgerPlace({ data: dir, ledgerPostgresFile: file })).rejects.toMatchObject({
    code: 'ERR_SECRET_MODE',
  })
})
