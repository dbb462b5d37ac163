import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { ContractsError } from '../errors.ts'
import { replaceFile } from '../files.ts'
import type { MarkStore, SnapshotMark } from './reader.ts'

const markSchema = z.strictObject({
  version: z.int().min(1).max(0xffffffff),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
})

/** A reader's mark in a file: written anew, synced and renamed, so that it is there as a whole or as it was. */
export class FileMarks implements MarkStore {
  private readonly file: string

  constructor(file: string) {
    this.file = file
  }

  /** @throws ContractsError ERR_REGISTRY_MARK when the file holds anything else: an unreadable mark is no fresh start */
  async load(): Promise<SnapshotMark | undefined> {
    let text: string
    try {
      text = await readFile(this.file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    try {
      return markSchema.parse(JSON.parse(text))
    } catch (cause) {
      const message =
        'registry mark: the file is damaged; remove it only if you know the registry from elsewhere'
      throw new ContractsError('ERR_REGISTRY_MARK', message, { cause })
    }
  }

  async save(mark: SnapshotMark): Promise<void> {
    await replaceFile(this.file, `${JSON.stringify(mark)}\n`)
  }
}
