import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Io } from './io.ts'
import { joinWith } from './join.ts'
import { readOwner } from './owner.ts'
import { attest } from './testing.ts'

const OWNER = 'EQAHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHB8Jh'
const RAW = `0:${'07'.repeat(32)}`
const FRIENDLY = 'UQAHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHB5-k'
const dir = mkdtempSync(path(tmpdir(), 'chrysalis-join-'))
let server: Server
let origin = ''
beforeAll(async () => {
  writeFileSync(path(dir, 'model.gguf'), 'GGUF')
  mkdirSync(path(dir, 'tee'))
  writeFileSync(path(dir, 'tee', 'root.der'), '')
  server = createServer((_, response) => response.end('ok'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A program in the worker's place. It writes down its flags, then does what `script` says. */
function standIn(name: string, script: string): URL {
  const file = path(dir, `${name}.mjs`)
  writeFileSync(
    file,
    `import { writeFileSync } from 'node:fs'
    writeFileSync(${JSON.stringify(path(dir, 'flags.json'))}, JSON.stringify(process.argv.slice(2)))
    const base = { event: 'status', bootId: null, models: ['tiny'], epoch: null, receipts: 0, earned: '0' }
    const tell = (status) => process.send({ ...base, ...status })
    ${script}`,
  )
  return pathToFileURL(file)
}

interface Joined {
  status: number
  out: string
  err: string
}

/** Runs `attest join` with the stand-in; `at` is called whenever something was printed. */
async function join(
  main: URL,
  argv: string[],
  changes: Partial<Io> = {},
  at = (_: string) => {},
): Promise<Joined> {
  const seen = { out: '', err: '' }
  const io: Io = {
    out: (text) => {
      seen.out += text
      at(seen.out)
    },
    err: (text) => {
      seen.err += text
    },
    outBytes: () => {},
    terminal: false,
    colour: false,
    env: {},
    cwd: dir,
    now: Date.now,
    ...changes,
  }
  const status = await joinWith(main)(argv, io)
  return { status, ...seen }
}

const good = () => ['--gateway', origin, '--owner', OWNER, '--model', 'model.gguf', '--simulated']
const WORKS = `
  process.on('SIGTERM', () => {})
  process.on('message', ({ type }) => {
    if (type === 'stop') process.send({ ...base, state: 'stopped' }, () => process.exit(0))
  })
  tell({ state: 'starting' }); tell({ state: 'joining' })
  tell({ state: 'ready', receipts: 2, earned: '1500000000' })
  setInterval(() => {}, 1000)`
/** Presses Ctrl-C once the work has begun. */
const interrupt = () => {
  let pressed = false
  return (out: string): void => {
    if (pressed || !/working|"ready"/.test(out)) return
    pressed = true
    process.emit('SIGINT', 'SIGINT')
  }
}

describe('attest join', () => {
  it('says that it waits for the gateway to pay, and why', async () => {
    const unpaid = WORKS.replace(
      "tell({ state: 'ready'",
      "tell({ state: 'unpaid', code: 'ERR_CREDIT_LIMIT', owed: '100000001' }); tell({ state: 'ready'",
    )
    const { out } = await join(standIn('unpaid', unpaid), good(), {}, interrupt())
    expect(out).toMatch(
      /^waiting for the gateway to pay {2}it owes more than the credit limit {2}0\.100000001 TON owed/m,
    )
  })

  it('checks, starts the worker, shows how it goes, and ends it on Ctrl-C', async () => {
    const { status, out } = await join(standIn('works', WORKS), good(), {}, interrupt())
    expect(out).toMatch(/^SIMULATED: /)
    expect(out).toMatch(/pass {2}gateway +127\.0\.0\.1:\d+ answers/)
    expect(out).toContain(`paid at ${RAW}`)
    expect(out).toMatch(/^working {2}tiny {2}2 receipts {2}1\.5 TON earned$/m)
    expect(out).toContain('finishing what has begun')
    expect(status).toBe(0)
    const flags = JSON.parse(readFileSync(path(dir, 'flags.json'), 'utf8'))
    expect(flags).toEqual([
      `--gateway-url=${origin.replace('http', 'ws')}/link`,
      `--owner-address=${FRIENDLY}`,
      `--model=${path(dir, 'model.gguf')}`,
      `--data=${path(dir, '.chrysalis')}`,
      '--tee=simulated',
      '--log-level=error',
    ])
  })

  it('prints lines of JSON for a program, sentences elsewhere', async () => {
    const { status, out, err } = await join(standIn('works', WORKS), [...good(), '--json'], {}, interrupt())
    expect(status).toBe(0)
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines[0]).toMatchObject({ event: 'preflight', ok: true })
    expect(lines.slice(1).map(({ state }) => state)).toEqual(['starting', 'joining', 'ready', 'stopped'])
    expect(err).toContain('SIMULATED')
  })

  it('writes over one line on a terminal', async () => {
    const { out } = await join(standIn('works', WORKS), good(), { terminal: true }, interrupt())
    expect(out).toContain('\r\u001b[2Kworking  tiny')
  })

  it('takes the Ctrl-C that npm passes on once more for the one that it is', async () => {
    let pressed = false
    const doubled = (out: string): void => {
      if (pressed || !/working/.test(out)) return
      pressed = true
      for (const signal of ['SIGINT', 'SIGINT'] as const) process.emit(signal, signal)
    }
    const changes = { now: () => 1_000 }
    const { status, out } = await join(standIn('works', WORKS), good(), changes, doubled)
    expect([status, out.match(/finishing what|ending/g)]).toEqual([0, ['finishing what']])
    // Killed, it could not have said so.
    expect(out).toMatch(/^ended$/m)
  })

  it('ends a worker at once that is asked twice', async () => {
    const deaf = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); tell({ state: 'ready' })`
    let presses = 0
    const twice = (out: string): void => {
      const due = (presses === 0 && /working/.test(out)) || (presses === 1 && /finishing/.test(out))
      if (!due) return
      presses++
      setImmediate(() => process.emit('SIGINT', 'SIGINT'))
    }
    const now = () => Date.now() + presses * 2_000
    const { status, out } = await join(standIn('deaf', deaf), good(), { now }, twice)
    expect([status, presses]).toEqual([0, 2])
    expect(out).toContain('ending at once')
  })

  it('says why a gateway refuses, safely, with a cure, and ends', async () => {
    const refused = `${WORKS.replace("'ready', receipts: 2, earned: '1500000000'", "'refused', by: 'gateway', code: 'evidence', factors: ['tcb.status'], reason: 'no\\u001b[2J'")}
      tell({ event: 'junk' }); process.send('junk'); tell({ state: 'joining' })`
    const { status, out } = await join(standIn('refused', refused), good())
    expect(out).toMatch(
      /^refused by the gateway {2}tcb\.status: no\\u\{1b\}\[2J {2}\(cure: .*firmware.*\)\nended$/m,
    )
    expect(status).toBe(1)
    expect(out).not.toContain('the worker ended')
    const { out: json } = await join(standIn('refused', refused), [...good(), '--json'])
    expect(json).toMatch(/"factors":\["tcb\.status"\].*"cure":".*firmware/)
  })

  it.each([
    [
      'has joined before',
      `tell({ state: 'ready' }); tell({ state: 'refused', by: 'gateway', code: 'evidence' })`,
    ],
    ['is told to wait', `tell({ state: 'refused', by: 'gateway', code: 'busy' })`],
  ])('leaves a worker that %s to its next attempt', async (_, script) => {
    const tries = WORKS.replace("tell({ state: 'ready'", `${script}; tell({ state: 'ready'`)
    const { status, out } = await join(standIn('tries', tries), good(), {}, (all) => {
      if (/refused[\s\S]*\nworking/.test(all) && !all.includes('finishing')) process.emit('SIGINT', 'SIGINT')
    })
    expect([status, /refused by the gateway/.test(out)]).toEqual([0, true])
  })

  it('says that the worker gave up', async () => {
    const { status, out } = await join(standIn('quits', 'process.exit(3)'), good())
    expect([status, out]).toEqual([1, expect.stringContaining('the worker ended with status 3')])
  })

  it('says what a person can do when the worker itself refuses', async () => {
    const refuses = WORKS.replace(
      "'ready'",
      "'refused', by: 'worker', code: 'ERR_PAYMENT_TERMS', factors: []",
    )
    const { status, out } = await join(standIn('picky', refuses), good())
    expect(out).toMatch(
      /^refused: this worker refuses the gateway {2}ERR_PAYMENT_TERMS {2}\(cure: .*with --chain-url and --chain/m,
    )
    expect(status).toBe(1)
    const more = ['--chain-url', 'http://c', '--chain-token-file', 't', '--tee-dir', 'tee']
    const { out: told } = await join(standIn('picky', refuses), [...good(), ...more])
    expect(told).toMatch(/\(cure: .*does not hold on the network at --chain-url.*\)$/m)
    const flags = JSON.parse(readFileSync(path(dir, 'flags.json'), 'utf8'))
    expect(flags).toEqual(
      expect.arrayContaining([
        '--chain-url=http://c',
        `--chain-token-file=${path(dir, 't')}`,
        `--tee-dir=${path(dir, 'tee')}`,
      ]),
    )
  })

  it('starts nothing when a check fails', async () => {
    const main = standIn('never', `throw new Error('started')`)
    const { status, out } = await join(main, good().with(1, 'http://127.0.0.1:9'))
    expect(status).toBe(1)
    expect(out).toMatch(/FAIL {2}gateway .*\n.*cure: /)
    expect(out).toContain('nothing was started')
  })

  it('without --simulated asks for a TDX guest', async () => {
    const { status, out } = await join(standIn('never', ''), ['--check'])
    // A machine of a test may be a guest; then all is well.
    if (status === 0) return
    expect(out).toMatch(/FAIL {2}tdx-guest .*\n +cure: /)
    const whole = await join(standIn('never', ''), good().slice(0, -1))
    expect(whole.status).toBe(1)
    expect(whole.out).toMatch(/FAIL {2}policy .*\n +cure: .*--gateway-policy/)
    expect(whole.out).toMatch(/warn {2}payment .*\n +cure: .*--chain-url/)
    const told = ['--gateway-policy', 'platform', '--chain-url', 'http://c', '--chain-token-file', 't']
    const rest = await join(standIn('never', ''), [...good().slice(0, -1), ...told])
    expect(rest.out).not.toMatch(/policy|payment/)
  })

  it.each<[string[], RegExp]>([
    [[], /--gateway: is missing/],
    [['--gateway', 'http://h'], /--owner: is missing/],
    [['--gateway', 'http://h', '--owner', OWNER], /--model: is missing/],
    [['--gateway', 'ftp://h', '--owner', OWNER, '--model', 'm'], /--gateway ftp:\/\/h: is no gateway/],
    [['--gateway', 'http://h/other', '--owner', OWNER, '--model', 'm'], /is no gateway/],
    [['--gateway', 'http://h', '--owner', OWNER.replace('8Jh', '8Jx'), '--model', 'm'], /checksum is wrong/],
    [['--gateway', 'http://h', '--owner', 'me', '--model', 'm'], /--owner me: is no TON address/],
    [
      ['--gateway', 'http://h', '--owner', OWNER, '--model', 'missing.gguf', '--simulated'],
      /--model missing\.gguf: there is no/,
    ],
    [['--gateway', 'http://h', '--owner', OWNER, '--model', 'm', '--gpu', 'all'], /--gpu all: expected/],
    [['--gateway', 'http://h', '--owner', OWNER, '--model', 'm', '--tee-dir', 't'], /goes with --simulated/],
    [
      ['--gateway', 'http://h', '--owner', OWNER, '--model', 'model.gguf', '--tee-dir', 't', '--simulated'],
      /--tee-dir t.root\.der: there is no such file/,
    ],
    [
      ['--gateway', 'http://h', '--owner', OWNER, '--model', 'm', '--simulated', '--chain-url', 'http://c'],
      /--chain-url and --chain-token-file: go together/,
    ],
  ])('refuses %j', async (argv, sentence) => {
    const { status, err } = await attest(['join', ...argv], { cwd: dir })
    expect(status).toBe(2)
    expect(err).toMatch(sentence)
  })
})

describe('an owner', () => {
  it('may be written in any form of TON', () => {
    const forms = [RAW, RAW.toUpperCase(), OWNER, FRIENDLY]
    for (const form of forms)
      expect(readOwner('--owner', form)).toEqual({ raw: RAW, friendly: FRIENDLY, warnings: [] })
    const forTests = '0QAHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHByQu'
    const test = readOwner('--owner', forTests)
    expect(test).toEqual({ raw: RAW, friendly: forTests, warnings: [expect.stringContaining('test')] })
    for (const bad of [`5:${'07'.repeat(32)}`, `0:${'00'.repeat(32)}`, `0:${'07'.repeat(31)}`, '', ` ${RAW}`])
      expect(() => readOwner('--owner', bad), bad).toThrow('--owner')
  })
})

describe('attest quote', () => {
  const nonce = '11'.repeat(32)
  it('makes a quote of the simulated TEE that inspect reads', async () => {
    const made = await attest(['quote', '--nonce', nonce, '--simulated', 'tee', '--out', 'q.bin'], {
      cwd: dir,
    })
    expect(made).toEqual({ status: 0, out: '', err: '' })
    expect((await attest(['inspect', 'q.bin'], { cwd: dir })).out).toContain(`${nonce}${'00'.repeat(32)}`)
    const on = { cwd: dir, terminal: true }
    const shown = await attest(['quote', '--nonce', nonce, '--simulated', 'tee'], on)
    expect([shown.status, shown.err]).toEqual([2, expect.stringContaining('name a file')])
  })

  it.each<[string[], RegExp]>([
    [[], /needs either --nonce or --report-data/],
    [['--nonce', nonce, '--report-data', 'ab'], /needs either/],
    [['--nonce', 'ab'], /--nonce: expected 32 bytes/],
    [['--report-data', nonce.repeat(2), '--claims', 'c'], /--claims: goes with --nonce/],
    [['--nonce', nonce, '--claims', 'model.gguf'], /claims: not JSON/],
    [
      ['--nonce', nonce, '--simulated', 'tee', '--out', 'missing/q.bin'],
      /--out missing\/q\.bin: there is no such/,
    ],
  ])('refuses %j', async (argv, sentence) => {
    const { status, err } = await attest(['quote', ...argv], { cwd: dir })
    expect(status).toBe(2)
    expect(err).toMatch(sentence)
  })

  it('says on another machine what is missing', async () => {
    const { status, err } = await attest(['quote', '--nonce', nonce, '--out', 'q2.bin'], { cwd: dir })
    if (status !== 0) expect([status, err]).toEqual([2, expect.stringMatching(/^not a TDX guest: /)])
  })
})
