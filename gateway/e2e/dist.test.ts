import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanUp, ROOT, startStack } from './stack.ts'

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['gateway/cli/build.ts'], { cwd: ROOT })
})
afterAll(cleanUp)

describe('the package that npm run build makes', () => {
  it('starts, answers and stops like the sources', async () => {
    const launcher = join(ROOT, 'dist/gateway/cli/launch.mjs')
    const stack = await startStack({ command: [process.execPath, launcher, 'up'] })
    const answer = await stack.sdk.chat.completions.create({
      model: stack.ready.models[0] ?? '',
      messages: [{ role: 'user', content: 'Hello' }],
    })
    expect(answer.choices[0]?.message.content?.trim()).toBeTruthy()
    expect(await stack.stop('SIGTERM')).toBe(0)
    expect(stack.output()).toHaveLength(1)
  })

  it('has the bins and faces that package.json names', async () => {
    const { default: card } = await import('../../package.json', { with: { type: 'json' } })
    for (const bin of Object.values(card.bin))
      expect(readFileSync(join(ROOT, bin), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    const paths = [card.bin.chrysalis, ...Object.values(card.exports).flatMap((face) => Object.values(face))]
    const code = paths.filter((path) => !path.endsWith('.d.ts'))
    expect(code.length).toBeGreaterThan(1)
    for (const path of code.filter((name) => name.endsWith('.js')))
      expect(Object.keys(await import(join(ROOT, path))).length).toBeGreaterThan(0)
  })
})
