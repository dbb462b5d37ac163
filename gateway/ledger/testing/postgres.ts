/** A PostgreSQL server for tests: made, started and thrown away by them, on a Unix socket that nobody else finds. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'

const ROOT = '/usr/lib/postgresql'

/** Where `initdb` and `postgres` are; undefined, said aloud, where there are none. Throws where CHRYSALIS_REQUIRE names them. */
export function postgresPrograms(): string | undefined {
  const versions = existsSync(ROOT) ? readdirSync(ROOT).sort((a, b) => Number(b) - Number(a)) : []
  const folders = versions.map((version) => join(ROOT, version, 'bin'))
  const found = folders.find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
  if (found) return found
  if ((process.env.CHRYSALIS_REQUIRE ?? '').includes('postgres')) {
    throw new Error('CHRYSALIS_REQUIRE asks for PostgreSQL, but there is none: install it')
  }
  console.warn('SKIPPED: there is no PostgreSQL here (install it: apt-get install postgresql)')
  return undefined
}

export class TestPostgres {
  readonly #programs: string
  readonly #dir: string
  #server: ChildProcess | undefined
  #schemas = 0

  private constructor(programs: string) {
    this.#programs = programs
    this.#dir = mkdtempSync(join(tmpdir(), 'chrysalis-pg-'))
  }

  static async start(programs: string): Promise<TestPostgres> {
    const server = new TestPostgres(programs)
    const data = server.#data
    mkdirSync(data, { mode: 0o700 })
    const { uid, gid } = server.#options
    if (uid && gid) for (const path of [server.#dir, data]) chownSync(path, uid, gid)
    // What it makes need not reach the disk: only what is written from then on has to outlive a kill.
    const initdb = ['-D', data, '-U', 'chrysalis', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']
    execFileSync(join(programs, 'initdb'), initdb, { ...server.#options, stdio: 'ignore' })
    await server.run()
    return server
  }

  get #data(): string {
    return join(this.#dir, 'data')
  }

  /** PostgreSQL does not run as root: `nobody` does it then. */
  get #options(): { uid?: number; gid?: number; cwd: string; env: Record<string, string> } {
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    return { ...user, cwd: this.#dir, env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' } }
  }

  /**
   * Starts the server, also once more after `kill`.
   *
   * @param settings more arguments of the server, like `-c fsync=off`
   */
  async run(settings: readonly string[] = []): Promise<void> {
    const all = ['-D', this.#data, '-k', this.#dir, '-c', 'listen_addresses=', ...settings]
    const server = spawn(join(this.#programs, 'postgres'), all, {
      ...this.#options,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#server = server
    const said: string[] = []
    for await (const line of createInterface(server.stderr)) {
      said.push(line)
      if (line.includes('ready to accept connections')) break
    }
    if (!said.at(-1)?.includes('ready to accept'))
      throw new Error(`postgres did not start: ${said.join('\n')}`)
    server.stderr.resume()
  }

  /** The connection string of a schema, the database's own when none is named. */
  address(schema?: string): string {
    const search = schema === undefined ? '' : `&options=${encodeURIComponent(`-c search_path=${schema}`)}`
    return `postgresql:///postgres?host=${encodeURIComponent(this.#dir)}&user=chrysalis${search}`
  }

  /** @returns the connection string of a new, empty schema */
  async newSchema(): Promise<string> {
    this.#schemas += 1
    const schema = `ledger_${this.#schemas}`
    await this.query(`create schema ${schema}`)
    return this.address(schema)
  }

  /** Asks something in a session of its own. */
  async query(text: string, address = this.address()): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: address })
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }

  /** Stops the server at once, as a power cut would stop it. */
  async kill(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    server.kill('SIGQUIT')
    await ended
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
