import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { CHANNEL_EXIT } from './errors.ts'
import { gasTable, recordedGas } from './gas.ts'

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
