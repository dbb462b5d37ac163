/** The few file operations that a guest needs, so that a test can be the kernel. */

import { constants } from 'node:fs'
import { chmod, type FileHandle, mkdir, open, rename, rmdir, stat, statfs, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createFile, makeFolder, replaceFile } from '../node-files.ts'

/** Files and folders by absolute path. Failures are thrown as Node throws them, with `code` an errno name. */
export interface Files {
  /** The whole file; EFBIG when it has more than `limit` bytes. */
  read(path: string, limit: number): Promise<Uint8Array>
  /** Writes an existing file in one call, neither created nor cut: how the kernel takes values. */
  write(path: string, bytes: Uint8Array): Promise<void>
  exists(path: string): Promise<boolean>
  makeFolder(path: string): Promise<void>
  removeFolder(path: string): Promise<void>
  /** Makes the folder and those above it (0700), if they are not there. */
  ensureFolder(path: string): Promise<void>
  /** Creates a file (0600) with its content at once; EEXIST when the name is taken. */
  create(path: string, bytes: Uint8Array): Promise<void>
  /** Puts a file (0600) in the place of what is there, whole, and synced to disk. */
  replace(path: string, bytes: Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Bytes that this process may still write where the path is or would be. */
  freeBytes(path: string): Promise<number>
}

const CHUNK = 64 * 1024

/** The files of this machine, or of a tree below `root`. */
export class NodeFiles implements Files {
  readonly #root: string

  constructor(root = '') {
    this.#root = root.replace(/\/+$/, '')
  }

  #at(path: string): string {
    return `${this.#root}${path}`
  }

  async read(path: string, limit: number): Promise<Uint8Array> {
    const file = await open(this.#at(path), constants.O_RDONLY)
    try {
      return await readToEnd(file, path, limit)
    } finally {
      await file.close()
    }
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    // Not O_RDWR: configfs refuses to open a write-only attribute for reading.
    const file = await open(this.#at(path), constants.O_WRONLY)
    try {
      const { bytesWritten } = await file.write(bytes, 0, bytes.length, null)
      if (bytesWritten !== bytes.length) throw errno('EIO', `${path}: ${bytesWritten} bytes were taken`)
    } finally {
      await file.close()
    }
  }

  async exists(path: string): Promise<boolean> {
    try {
      await stat(this.#at(path))
      return true
    } catch {
      return false
    }
  }

  async makeFolder(path: string): Promise<void> {
    await mkdir(this.#at(path))
  }

  async removeFolder(path: string): Promise<void> {
    await rmdir(this.#at(path))
  }

  async ensureFolder(path: string): Promise<void> {
    await makeFolder(this.#at(path), 0o700)
    await chmod(this.#at(path), 0o700)
  }

  async create(path: string, bytes: Uint8Array): Promise<void> {
    await createFile(this.#at(path), bytes)
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    await replaceFile(this.#at(path), bytes)
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(this.#at(from), this.#at(to))
  }

  async remove(path: string): Promise<void> {
    await unlink(this.#at(path))
  }

  async freeBytes(path: string): Promise<number> {
    let place = this.#at(path)
    for (;;) {
      try {
        const { bavail, bsize } = await statfs(place)
        return bavail * bsize
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(place) === place) throw error
        place = dirname(place)
      }
    }
  }
}

/** Reads until the kernel says that there is no more: the sizes that sysfs and configfs state are not lengths. */
async function readToEnd(file: FileHandle, path: string, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for (;;) {
    const part = new Uint8Array(CHUNK)
    // A position would make this pread, which binary attributes of configfs do not have.
    const { bytesRead } = await file.read(part, 0, part.length, null)
    if (bytesRead === 0) break
    parts.push(part.subarray(0, bytesRead))
    length += bytesRead
    if (length > limit) throw errno('EFBIG', `${path}: more than ${limit} bytes`)
  }
  return new Uint8Array(Buffer.concat(parts, length))
}

/** An error as the file system throws it. */
export function errno(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
