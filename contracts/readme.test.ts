import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { CHANNEL_EXIT, JETTON_CHANNEL_EXIT } from './errors.ts'
import { gasTable, recordedGas } from './gas.ts'
import { REGISTRY_EXIT } from './registry/exits.ts'

/** Tables without the spaces and dashes that only align them. */
const plain = (text: string) => text.replace(/ +/g, ' ').replace(/\| ?-+ ?(?=\|)/g, '|-')

const readme = plain(readFileSync(new URL('README.md', import.meta.url), 'utf8'))
const tolk = readFileSync(new URL('channel/channel.tolk', import.meta.url), 'utf8')

it('the README shows the recorded gas table', () => {
  expect(readme).toContain(plain(gasTable(recordedGas())))
})

it('README, contract and errors.ts name the same exit codes', () => {
  for (const [name, code] of Object.entries(CHANNEL_EXIT)) {
    expect(readme).toContain(`| ${code} | ${name} |`)
    expect(tolk).toMatch(new RegExp(`const ERR_${name} = (${code}|0x${code.toString(16)})\\b`, 'i'))
  }
})

it.each([
  ['channel', CHANNEL_EXIT],
  ['jetton', JETTON_CHANNEL_EXIT],
  ['registry', REGISTRY_EXIT],
])('each exit code of contracts/%s is expected by a test there', (folder, exits) => {
  const dir = new URL(`${folder}/`, import.meta.url)
  const tests = readdirSync(dir).filter((name) => name.endsWith('.test.ts'))
  // Titles name codes, too, and expect nothing.
  const lines = tests.flatMap((name) => readFileSync(new URL(name, dir), 'utf8').split('\n'))
  const code = lines.filter((line) => !/^\s*(it|test|describe)\b/.test(line)).join('\n')
  for (const name of Object.keys(exits)) expect(code).toMatch(new RegExp(`['.]${name}\\b`))
})
