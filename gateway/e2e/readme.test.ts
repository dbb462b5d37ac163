import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
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

/** Set-up commands are run by .ci/run; hardware that tests cannot have is excepted. */
const runnable = ({ language, note }: Block) =>
  ['sh', 'js'].includes(language) && !/^(setup|hardware)/.test(note)

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
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

describe.each(['README.md', 'examples/README.md'])('%s', (page) => {
  const blocks = blocksOf(page).filter(runnable)

  it('has commands to run', () => expect(blocks.length).toBeGreaterThan(0))

  it.each(blocks.map((block) => [block.code.trim().split('\n')[0] ?? '', block] as const))(
    '%s',
    async (_, block) => {
      const output = await run(block)
      expect(output.trim()).not.toBe('')
      expect(output).not.toContain('"error"')
    },
  )
})
