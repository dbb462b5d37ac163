import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigError, loadConfig } from './config.ts'

const spec = {
  name: 'chrysalis test',
  summary: 'A test command.',
  schema: z.strictObject({
    port: z.coerce.number().int().min(0).max(65_535).default(8787).describe('port to listen on'),
    json: z.boolean().default(false).describe('one JSON line'),
    dataDir: z.string().default('./.chrysalis').describe('where state lives'),
  }),
}

const load = (argv: string[], env: Record<string, string> = {}) => loadConfig(spec, { argv, env })

describe('loadConfig', () => {
  it('takes defaults, then the file, then the environment, then flags', () => {
    const file = join(tmpdir(), `chrysalis-config-${process.pid}.json`)
    writeFileSync(file, JSON.stringify({ port: 1, dataDir: 'from-file' }))
    expect(load([])).toEqual({ port: 8787, json: false, dataDir: './.chrysalis' })
    expect(load(['--config', file]).port).toBe(1)
    expect(load(['--config', file], { CHRYSALIS_PORT: '2' }).port).toBe(2)
    expect(load(['--config', file, '--port', '3'], { CHRYSALIS_PORT: '2' })).toEqual({
      port: 3,
      json: false,
      dataDir: 'from-file',
    })
    expect(load(['--json']).json).toBe(true)
  })

  it.each([
    [['--port', 'x'], {}, '--port'],
    [[], { CHRYSALIS_PORT: '70000' }, 'CHRYSALIS_PORT'],
    [['--nonsense'], {}, '--nonsense'],
    [['stray'], {}, 'argument'],
    [['--config', '/nonexistent/file'], {}, '--config'],
  ])('refuses %j %j and names %s', (argv, env, named) => {
    expect(() => load(argv as string[], env as Record<string, string>)).toThrow(ConfigError)
    expect(() => load(argv as string[], env as Record<string, string>)).toThrow(named)
  })

  it('explains every setting in --help', () => {
    let help = ''
    const onHelp = (text: string): never => {
      help = text
      throw new Error('help shown')
    }
    expect(() => loadConfig(spec, { argv: ['--help'], env: {}, onHelp })).toThrow('help shown')
    for (const part of [
      '--port <value>',
      '--json',
      '--data-dir <value>',
      'CHRYSALIS_DATA_DIR',
      'default: 8787',
    ])
      expect(help).toContain(part)
  })
})
