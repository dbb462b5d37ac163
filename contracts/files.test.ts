import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFile, isOpenToOthers, replaceFile, TEMPORARY_FILE } from './files.ts'

let dir: string
let file: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-files-'))
  file = join(dir, 'state.json')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('a file', () => {
  it('is replaced as a whole, for this user only, without leftovers', async () => {
    await replaceFile(file, 'one')
    await replaceFile(file, new Uint8Array([0x32]))
    expect(readFileSync(file, 'utf8')).toBe('2')
    expect(readdirSync(dir)).toEqual(['state.json'])
    expect(await isOpenToOthers(file)).toBe(false)
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('is made once, by the first of all who try', async () => {
    const made = await Promise.all(['a', 'b', 'c', 'd'].map((text) => createFile(file, text)))
    expect(made.filter(Boolean)).toHaveLength(1)
    expect(readFileSync(file, 'utf8')).toBe('abcd'[made.indexOf(true)])
    expect(readdirSync(dir)).toEqual(['state.json'])
  })

  it('leaves nothing behind when it cannot be put in its place, and what a crash leaves is known by its name', async () => {
    const taken = join(dir, 'folder')
    mkdirSync(join(taken, 'inside'), { recursive: true })
    await expect(replaceFile(taken, 'text')).rejects.toThrow()
    expect(readdirSync(dir)).toEqual(['folder'])
    expect(TEMPORARY_FILE.test('.state.json.0123456789abcdef.tmp')).toBe(true)
    expect(TEMPORARY_FILE.test('notes.tmp')).toBe(false)
  })
})
