import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanUp, ROOT, type Stack, startStack } from './stack.ts'

/** A fenced block of a page, and the HTML comment right before it, if any. */
interface Block {
  language: string
  code: string
  note: string
}

function blocksOf(path: string): Block[] {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const fence = /(?:<!-- ([^>]*) -->\n)?```(\w+)\n([\s\S]*?)```/g
  return [...text.matchAll(fence)].map(([, note = '', language = '', code = '']) => ({
    language,
    code,
    note,
  }))
}

/** Lines of a verdict: what was decided and why. Digests, keys and times differ from run to run and stand elsewhere. */
const VERDICT =
  /^(?:ACCEPTED|REFUSED|SIMULATED|No measurement|exit status| {2}failed:| {2}(?:pass|FAIL|skip|SKIP|n\/a) )/m

const verdictLines = (text: string) => text.split('\n').filter((line) => VERDICT.test(line))

/** Set-up commands are run by .ci/run; hardware that tests cannot have is excepted. */
const runnable = ({ language, note }: Block) =>
  ['sh', 'js'].includes(language) && !/^(setup|hardware)/.test(note)

/** A block of a shell that is not excepted. JavaScript of other pages shows interfaces; the type checker cannot see it. */
const isCommand = (block: Block) => block.language === 'sh' && runnable(block)

const shell = existsSync('/bin/sh')
if (!shell)
  console.warn('readme.test.ts: SKIPPED, the blocks of the pages are for /bin/sh, which is missing here')

let stack: Stack
beforeAll(async () => {
  if (shell) stack = await startStack()
})
afterAll(cleanUp)

/** The block as it is, but for the port, the data folder and the path of node. */
async function run({ language, code }: Block): Promise<string> {
  const here = code
    .replaceAll('http://127.0.0.1:8787', stack.origin)
    .replaceAll('.chrysalis/', `${stack.dir}/`)
  const env = {
    ...process.env,
    CHRYSALIS_DATA: stack.dir,
    CHRYSALIS_API_KEY: stack.ready.apiKey,
    PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
  }
  const [file, args] =
    language === 'sh'
      ? ['/bin/sh', ['-euc', here]]
      : [process.execPath, ['--input-type=module', '--eval', here]]
  const { stdout } = await promisify(execFile)(file as string, args as string[], { cwd: ROOT, env })
  return stdout
}

/** Runs that a later test looks at; a block runs once. */
const ran = new Map<string, Promise<string>>()

function outputOf(block: Block): Promise<string> {
  const known = ran.get(block.code) ?? run(block)
  ran.set(block.code, known)
  return known
}

const TESTED = ['README.md', 'examples/README.md']

it('every command of every page is run here, or marked as one that needs what tests cannot have', () => {
  const pages = globSync('**/README.md', { cwd: ROOT, exclude: ['node_modules/**', 'dist/**', '.*/**'] })
  const loose = pages.filter((page) => !TESTED.includes(page) && blocksOf(page).some(isCommand))
  expect(pages).toEqual(expect.arrayContaining(TESTED))
  expect(loose).toEqual([])
})

describe.skipIf(!shell).each(TESTED)('%s', (page) => {
  const all = blocksOf(page)
  const blocks = all.filter(runnable)
  const shown = all.flatMap((block, i) => {
    const before = all[i - 1]
    return block.language === 'json' && before ? [[before, block] as const] : []
  })

  const transcripts = all.flatMap((block, i) => {
    const before = all[i - 1]
    const judged = block.language === 'text' && VERDICT.test(block.code)
    return judged && before !== undefined && blocks.includes(before) ? [[before, block] as const] : []
  })

  it('shows each JSON answer below the command that gives it', () => {
    expect(shown).toHaveLength(all.filter(({ language }) => language === 'json').length)
    for (const [command] of shown) expect(blocks).toContain(command)
  })

  it('has commands to run', () => expect(blocks.length).toBeGreaterThan(0))

  it.each(blocks.map((block) => [block.code.trim().split('\n')[0] ?? '', block] as const))(
    '%s',
    async (_, block) => {
      const output = await outputOf(block)
      expect(output.trim()).not.toBe('')
      expect(output).not.toContain('"error"')
    },
  )

  it.each(shown.map(([command, answer], i) => [i + 1, command, answer] as const))(
    'JSON answer %i has the fields of a live one',
    async (_, command, answer) => {
      const live = JSON.parse(await outputOf(command))
      expect(Object.keys(JSON.parse(answer.code))).toEqual(Object.keys(live))
    },
  )

  it.each(transcripts.map(([command, text], i) => [i + 1, command, text] as const))(
    'transcript %i has the verdicts of a live one, word by word',
    async (_, command, text) => {
      const live = verdictLines(await outputOf(command))
      expect(live).toEqual(expect.arrayContaining(verdictLines(text.code)))
      // What decides stands in both, as often.
      const decisive = (lines: string[]) =>
        lines.filter((line) => /^(ACCEPTED|REFUSED|exit status)/.test(line))
      expect(decisive(live)).toEqual(decisive(verdictLines(text.code)))
    },
  )
})
