import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { takeFolder } from './folder.ts'

test('a folder of receipts has one worker at a time', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'chrysalis-folder-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const leave = await takeFolder(dir, 0)
  await expect(takeFolder(dir, 0)).rejects.toThrow(`setting data: another worker has ${dir}`)
  const waiting = takeFolder(dir)
  leave()
  const again = await waiting
  again()
})
