import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../stack.ts'
import { checkAnswer } from './checked.ts'
import { stack } from './shared.ts'

const run = promisify(execFile)
const curl = await run('curl', ['--version']).then(
  () => true,
  () => false,
)
if (!curl) console.warn('clients.test.ts: curl is SKIPPED, it is not installed here')

const CHAT = '/v1/chat/completions'
const ask = { model: 'chrysalis/tiny', messages: [{ role: 'user', content: 'Hello' }], temperature: 0 }

interface Answer {
  path: string
  status: number
  headers: Headers
  text: string
}

/** Runs curl with these arguments, and `input` on its standard input. */
async function ran(path: string, args: readonly string[], input?: string | Uint8Array): Promise<Answer> {
  const all = ['-sS', '--include', '-H', `Authorization: Bearer ${stack().ready.apiKey}`, ...args]
  const running = run('curl', [...all, stack().origin + path])
  running.child.stdin?.end(input)
  const { stdout } = await running
  const [head = '', ...body] = stdout.split('\r\n\r\n')
  const [status = '', ...lines] = head.split('\r\n')
  const pairs = lines.map((line) => /^([^:]+): (.*)$/.exec(line)?.slice(1) as [string, string])
  const text = body.join('\r\n\r\n')
  return { path, status: Number(status.split(' ')[1]), headers: new Headers(pairs), text }
}

const CHARACTERS: Readonly<Record<string, string>> = { '&quot;': '"', '&#39;': "'", '&lt;': '<', '&gt;': '>' }
const unescaped = (html: string) =>
  html.replace(/&[^;]+;/g, (entity) => CHARACTERS[entity] ?? entity).replaceAll('&amp;', '&')

const json = ['-H', 'Content-Type: application/json']

describe.skipIf(!curl)('curl', () => {
  it('asks and is answered, compressed or not', async () => {
    const plain = await ran(CHAT, [...json, '-d', JSON.stringify(ask)])
    checkAnswer(plain, plain.text)
    const gzip = [...json, '--compressed', '-H', 'Content-Encoding: gzip', '--data-binary', '@-']
    const packed = await ran(CHAT, gzip, gzipSync(JSON.stringify(ask)))
    expect(JSON.parse(packed.text).choices).toEqual(JSON.parse(plain.text).choices)
  })

  it('waits for 100 Continue, and sends in chunks', async () => {
    for (const header of ['Expect: 100-continue', 'Transfer-Encoding: chunked']) {
      const answer = await ran(CHAT, [...json, '-H', header, '--data-binary', '@-'], JSON.stringify(ask))
      // Whatever stands before the final head.
      expect(answer.text || answer.headers.get('content-type')).toContain('chat.completion')
    }
  })

  it('reads a stream as it comes', async () => {
    const body = JSON.stringify({ ...ask, stream: true })
    const answer = await ran(CHAT, ['-N', ...json, '-d', body])
    checkAnswer(answer, answer.text)
    expect(answer.text.endsWith('data: [DONE]\n\n')).toBe(true)
  })

  it('asks for heads and methods', async () => {
    const head = await ran('/v1/models', ['--head'])
    expect([head.status, head.headers.get('content-type'), head.text]).toEqual([200, 'application/json', ''])
    const options = await ran(CHAT, ['-X', 'OPTIONS'])
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST'])
    const get = await ran(CHAT, [])
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    checkAnswer(get, get.text)
    const nothing = await ran('/v1/nothing', [])
    expect(nothing.status).toBe(404)
    checkAnswer(nothing, nothing.text)
  })

  it('speaks HTTP/1.0 too', async () => {
    const answer = await ran('/v1/models', ['--http1.0'])
    checkAnswer(answer, answer.text)
  })

  it('runs the commands of the reference page as they are pasted', async () => {
    const { ready, origin } = stack()
    const page = await (await fetch(`${origin}/reference`)).text()
    const commands = [...page.matchAll(/<code>(curl .+?)<\/code>/gs)].map(([, text = '']) => unescaped(text))
    // Nobody can know beforehand which receipt or channel; what is paid for needs a signature over itself (payments.test.ts).
    const known = commands.filter(
      (command) => !/\/v1\/receipts\/|\/v1\/payment\/delegated\/|\$PAYMENT/.test(command),
    )
    expect(known.length).toBe(commands.length - 6)
    for (const command of known) {
      const here = command.replace('http://127.0.0.1:8787', origin)
      const shell = `${here} -sS -o /dev/null -w '%{http_code}'`
      const env = { ...process.env, CHRYSALIS_API_KEY: ready.apiKey }
      const { stdout } = await run('sh', ['-c', shell], { env })
      expect(stdout, command).toBe('200')
    }
  })

  it('that is killed in mid-stream leaves a server that answers', async () => {
    const body = JSON.stringify({ ...ask, stream: true, temperature: 2 })
    const headers = ['-H', `Authorization: Bearer ${stack().ready.apiKey}`, ...json]
    const running = run('curl', ['-sSN', ...headers, '-d', body, stack().origin + CHAT])
    running.catch(() => {})
    await once(running.child.stdout as NodeJS.ReadableStream, 'data')
    running.child.kill('SIGKILL')
    await running.catch(() => {})
    expect((await ran(CHAT, [...json, '-d', JSON.stringify(ask)])).status).toBe(200)
  })
})

describe('compatcanary', () => {
  interface Report {
    score: number
    summary: { total: number }
    results: { id: string; status: string; summary: string }[]
  }

  async function scan(): Promise<Report> {
    const cli = join(ROOT, 'node_modules/compatcanary/src/cli.js')
    const target = ['--base-url', stack().ready.url, '--model', ask.model, '--profile', 'modern']
    const args = [cli, 'scan', ...target, '--format', 'json', '--fail-on', 'never']
    const env = { ...process.env, OPENAI_API_KEY: stack().ready.apiKey }
    return JSON.parse((await run(process.execPath, args, { env })).stdout)
  }

  // It draws at temperature 1, and in one of sixty calls the embedded model fills a string until its context ends,
  // which is told as `length`. Three such calls in a row would be something else.
  it('gives 100 of 100 for everything that it knows', { retry: 2 }, async () => {
    const { score, summary, results } = await scan()
    expect(results.filter(({ status }) => status !== 'pass')).toEqual([])
    expect({ score, total: summary.total }).toEqual({ score: 100, total: 7 })
  })
})
