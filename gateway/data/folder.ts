import { chmod, readdir, readFile, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, parse, resolve } from 'node:path'
import { replaceFile, TEMPORARY_FILE } from '../../contracts/files.ts'
import { DataError, errnoOf } from './errors.ts'
import { ensurePrivateDir } from './files.ts'
import { LOCK_FILES, takeLock } from './lock.ts'

/** Version of the folder's layout that this program writes. */
export const DATA_VERSION = 1

const VERSION_FILE = 'VERSION'
const VERSION_LINE = /^chrysalis-data ([1-9][0-9]{0,8})( reset)?\n$/

/** Everything that Chrysalis ever makes directly inside a data folder: what `reset` removes, and nothing else. */
const OUR_FOLDERS = ['chain', 'gateway', 'worker', 'tee', 'logs']

/** Steps of the layout: entry n turns a folder of version n into one of version n + 1, and can be run twice. */
export type DataMigrations = Readonly<Record<number, (dir: string) => Promise<void>>>

export interface DataFolderOptions {
  /** Remove what earlier runs left (money of the local chain, keys, ledger) and start anew. */
  reset?: boolean
  /** For tests: the version to migrate to, and the steps that lead there. */
  version?: number
  migrations?: DataMigrations
}

/** A data folder that this process holds alone until `close` or its end. */
export interface DataFolder {
  /** Absolute path of the folder. */
  readonly dir: string
  /** Absolute path of something inside it. */
  path(...parts: string[]): string
  /** Gives the lock back. */
  close(): void
}

/**
 * Opens a data folder, makes it on first use (mode 0700) and locks it against a second server.
 *
 * @throws DataError `ERR_DATA_LOCKED` (in use), `ERR_DATA_FOREIGN` (holds files that are not ours),
 *   `ERR_DATA_VERSION` (written by a newer program), `ERR_DATA_FOLDER` (not a folder, or unusable)
 */
export async function openDataFolder(dir: string, options: DataFolderOptions = {}): Promise<DataFolder> {
  const folder = resolve(dir)
  const version = options.version ?? DATA_VERSION
  refuseSpecialFolders(folder)
  await ensureFolder(folder)
  await refuseForeign(folder)
  const unlock = takeLock(folder)
  try {
    await migrate(folder, version, options)
  } catch (error) {
    unlock()
    throw error
  }
  return { dir: folder, path: (...parts) => join(folder, ...parts), close: unlock }
}

function refuseSpecialFolders(folder: string): void {
  if (folder !== parse(folder).root && folder !== resolve(homedir())) return
  throw new DataError(
    'ERR_DATA_FOREIGN',
    `${folder} cannot be a data folder itself: name a folder inside it with --data`,
  )
}

async function ensureFolder(folder: string): Promise<void> {
  try {
    await ensurePrivateDir(folder)
    const status = await stat(folder)
    if (!status.isDirectory()) throw new Error('it is not a folder')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DataError('ERR_DATA_FOLDER', `the data folder ${folder} cannot be used: ${why}`, {
      cause: error,
    })
  }
}

/** A folder is ours if it has our VERSION file, or nothing but what a first start leaves before it writes that. */
async function refuseForeign(folder: string): Promise<void> {
  const entries = await readdir(folder)
  if (entries.includes(VERSION_FILE)) {
    await readVersion(folder)
  } else {
    const foreign = entries.find((name) => !LOCK_FILES.includes(name) && !TEMPORARY_FILE.test(name))
    if (foreign !== undefined) {
      throw new DataError(
        'ERR_DATA_FOREIGN',
        `${folder} holds files that Chrysalis did not make (such as ${JSON.stringify(foreign)}) and no ` +
          `${VERSION_FILE} file: choose an empty or a new folder with --data`,
      )
    }
  }
  await chmod(folder, 0o700)
}

async function migrate(folder: string, target: number, options: DataFolderOptions): Promise<void> {
  const found = await readVersion(folder)
  if (found === undefined) return await writeVersion(folder, target)
  if (found.version > target) {
    throw new DataError(
      'ERR_DATA_VERSION',
      `the data folder ${folder} has version ${found.version}, and this program knows versions up to ${target}: ` +
        'run the newer program that wrote it, or choose another folder with --data',
    )
  }
  if (options.reset || found.resetting) return await reset(folder, target, found.version)
  for (let version = found.version; version < target; version++) {
    const step = options.migrations?.[version]
    if (!step) {
      throw new DataError('ERR_DATA_VERSION', `${folder} has version ${version}, which can no longer be read`)
    }
    await step(folder)
    await writeVersion(folder, version + 1)
  }
}

/** The mark goes first: half a reset would leave a ledger without its chain, so the next start ends the work. */
async function reset(folder: string, target: number, version: number): Promise<void> {
  await writeVersion(folder, version, ' reset')
  for (const name of await readdir(folder)) {
    if (OUR_FOLDERS.includes(name) || TEMPORARY_FILE.test(name)) {
      await rm(join(folder, name), { recursive: true, force: true })
    }
  }
  await writeVersion(folder, target)
}

async function readVersion(folder: string): Promise<{ version: number; resetting: boolean } | undefined> {
  let text: string
  try {
    text = await readFile(join(folder, VERSION_FILE), 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  const match = VERSION_LINE.exec(text)
  if (match) return { version: Number(match[1]), resetting: match[2] !== undefined }
  throw new DataError(
    'ERR_DATA_FOREIGN',
    `the ${VERSION_FILE} file in ${folder} is not one of ours: choose an empty or a new folder with --data`,
  )
}

async function writeVersion(folder: string, version: number, mark = ''): Promise<void> {
  await replaceFile(join(folder, VERSION_FILE), `chrysalis-data ${version}${mark}\n`)
}
