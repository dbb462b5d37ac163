import { createHash } from 'node:crypto'
import { openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openInPlace, openWeights } from './weights.ts'

const content = Buffer.alloc(5_000_000, 'weights ')
const sha256 = createHash('sha256').update(content).digest('hex')
let folder: string
let path: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrysalis-weights-'))
  path = join(folder, 'model.gguf')
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** What this process has open on memory file systems without a name. */
function namelessFiles(): string[] {
  return readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return /^\/(dev\/shm|run|tmp).*#\d+ \(deleted\)$/.test(readlinkSync(`/proc/self/fd/${descriptor}`))
    } catch {
      return false
    }
  })
}

describe.skipIf(process.platform !== 'linux')('the private copy', () => {
  it('is hashed while it is made, and keeps its bytes when the file changes', async () => {
    writeFileSync(path, content)
    const weights = await openWeights(path)
    writeFileSync(path, 'something else')
    expect(weights).toMatchObject({ sha256, kind: 'private-memory', size: content.length })
    expect(readFileSync(weights.path).equals(content)).toBe(true)
    expect(Buffer.from(weights.read(8, 16)).toString()).toBe('weights weights ')
    expect(weights.read(content.length - 3, 100)).toHaveLength(3)
    await weights.recheck()
    weights.close()
  })

  it('is open once, for reading only, and gone when closed', async () => {
    writeFileSync(path, content)
    const before = namelessFiles()
    const weights = await openWeights(path)
    const [opened, ...more] = namelessFiles().filter((descriptor) => !before.includes(descriptor))
    expect(opened).toBe(String(weights.descriptor))
    expect(more).toEqual([])
    const flags = readFileSync(`/proc/self/fdinfo/${opened}`, 'utf8').match(/^flags:\s*([0-7]+)/m)?.[1]
    expect(Number.parseInt(flags ?? '3', 8) & 0b11).toBe(0)
    weights.close()
    expect(namelessFiles()).toEqual(before)
  })

  it('leaves nothing behind when it is cancelled', async () => {
    writeFileSync(path, content)
    const before = namelessFiles()
    await expect(openWeights(path, AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect(namelessFiles()).toEqual(before)
  })
})

describe('a file in its place', () => {
  it('is hashed again, and refused when it has changed', async () => {
    writeFileSync(path, content)
    const weights = await openInPlace(path, content.length)
    expect(weights).toMatchObject({ sha256, kind: 'file', path })
    await weights.recheck()
    writeFileSync(path, 'something else')
    await expect(weights.recheck()).rejects.toMatchObject({ code: 'ERR_MODEL_CHANGED' })
    weights.close()
  })
})

it.skipIf(process.platform !== 'linux' || process.getuid?.() === 0)(
  'cannot be opened for writing',
  async () => {
    writeFileSync(path, content)
    const weights = await openWeights(path)
    expect(() => openSync(weights.path, 'r+')).toThrow('EACCES')
    weights.close()
  },
)
