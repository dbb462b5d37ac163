/**
 * @module Getting a model's bytes into memory that the file's owner no longer reaches, hashed on the way: what is
 * claimed is then what runs. See the README for exactly what this guarantees and what not.
 */

import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  createReadStream,
  fchmodSync,
  fstatSync,
  openSync,
  readSync,
  statfsSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { EngineError } from './errors.ts'
import type { ReadAt } from './gguf/header.ts'

export interface Weights {
  readonly sha256: string
  /** `private-memory`: a nameless file in memory. `file`: the file itself, hashed before and after loading. */
  readonly kind: 'private-memory' | 'file'
  readonly size: number
  /** For `private-memory`: the read-only descriptor that the child inherits. */
  readonly descriptor?: number
  readonly path: string
  readonly read: ReadAt
  /** Hashes a `file` again; throws `ERR_MODEL_CHANGED` when it is another file now. */
  recheck(): Promise<void>
  close(): void
}

const tmpfsMagic = 0x01021994
const ramfsMagic = 0x858458f6
/** Linux' O_TMPFILE without O_DIRECTORY, the same number on x86-64 and arm64; Node does not export it. */
const tmpfileFlag = 0o20000000
const stepBytes = 4 * 1024 * 1024

function unreadable(cause: unknown): EngineError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'unknown error'
  return new EngineError(
    'ERR_MODEL_UNREADABLE',
    `the model file cannot be read (${code}); check its path and rights`,
  )
}

/** Opens a model. On Linux the bytes are copied into private memory, and it fails when that is not possible. */
export async function openWeights(path: string, signal?: AbortSignal): Promise<Weights> {
  const source = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(cause)
  })
  try {
    const { size } = await source.stat().then((stat) => {
      if (!stat.isFile()) throw unreadable(Object.assign(new Error(), { code: 'not a regular file' }))
      return stat
    })
    return process.platform === 'linux'
      ? await copyToMemory(source, size, signal)
      : await openInPlace(path, size)
  } finally {
    await source.close()
  }
}

async function copyToMemory(source: FileHandle, size: number, signal?: AbortSignal): Promise<Weights> {
  const writable = createPrivateFile(size)
  let descriptor: number | undefined
  try {
    const { sha256, copied } = await copyAndHash(source, writable, signal)
    fchmodSync(writable, 0o400)
    descriptor = openSync(`/proc/self/fd/${writable}`, 'r')
    const kept = descriptor
    return {
      sha256,
      kind: 'private-memory',
      size: copied,
      descriptor: kept,
      path: `/proc/self/fd/${kept}`,
      read: readFrom(kept),
      recheck: async () => {},
      close: () => closeSync(kept),
    }
  } finally {
    // No descriptor that could write stays open anywhere.
    closeSync(writable)
  }
}

/** A file without a name on a memory file system with room for `size` bytes, open for writing. */
function createPrivateFile(size: number): number {
  const places = ['/dev/shm', process.env.XDG_RUNTIME_DIR, tmpdir(), '/run'].filter(
    (place) => place !== undefined,
  )
  for (const place of places) {
    try {
      const fs = statfsSync(place)
      if (fs.type !== tmpfsMagic && fs.type !== ramfsMagic) continue
      // ramfs and unlimited tmpfs report no blocks at all: they take what there is.
      if (fs.blocks > 0 && fs.bavail * fs.bsize < size) continue
      const flags = tmpfileFlag | constants.O_DIRECTORY | constants.O_RDWR | constants.O_EXCL
      return openSync(place, flags, 0o600)
    } catch {
      // Not there, not ours to write, or no O_TMPFILE: the next place.
    }
  }
  throw new EngineError(
    'ERR_MODEL_UNREADABLE',
    `no memory file system has room for the model's ${size} bytes; enlarge /dev/shm (docker: --shm-size)`,
  )
}

async function copyAndHash(source: FileHandle, target: number, signal?: AbortSignal) {
  const hash = createHash('sha256')
  const sink = await open(`/proc/self/fd/${target}`, 'r+')
  const buffer = Buffer.allocUnsafe(stepBytes)
  let copied = 0
  try {
    for (;;) {
      if (signal?.aborted) throw new EngineError('ERR_CANCELLED', 'starting the engine was cancelled')
      const { bytesRead } = await source.read(buffer, 0, stepBytes, copied)
      if (bytesRead === 0) return { sha256: hash.digest('hex'), copied }
      const part = buffer.subarray(0, bytesRead)
      hash.update(part)
      for (let done = 0; done < bytesRead; ) {
        done += (await sink.write(part, done, bytesRead - done, copied + done)).bytesWritten
      }
      copied += bytesRead
    }
  } catch (cause) {
    throw cause instanceof EngineError ? cause : unreadable(cause)
  } finally {
    await sink.close()
  }
}

/** For systems without such files: the file itself, to be hashed again once it is loaded. */
export async function openInPlace(path: string, size: number): Promise<Weights> {
  const sha256 = await hashFile(path)
  const descriptor = openSync(path, 'r')
  return {
    sha256,
    kind: 'file',
    size,
    path,
    read: readFrom(descriptor),
    recheck: async () => {
      if ((await hashFile(path)) === sha256) return
      throw new EngineError('ERR_MODEL_CHANGED', 'the model file changed while it was loaded; start again')
    },
    close: () => closeSync(descriptor),
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const part of createReadStream(path, { highWaterMark: stepBytes })) hash.update(part)
  } catch (cause) {
    throw unreadable(cause)
  }
  return hash.digest('hex')
}

function readFrom(descriptor: number): ReadAt {
  const { size } = fstatSync(descriptor)
  return (offset, length) => {
    const wanted = Math.max(0, Math.min(length, size - offset))
    const bytes = new Uint8Array(wanted)
    let done = 0
    while (done < wanted) {
      const step = readSync(descriptor, bytes, done, wanted - done, offset + done)
      if (step === 0) break
      done += step
    }
    return bytes.subarray(0, done)
  }
}
