import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { JETTON_CHANNEL_EXIT } from '../errors.ts'
import { compileTolk } from '../tolk.ts'
import { JETTON_CHANNEL_CODE_HASH, jettonChannelCode } from './code.ts'
import { CONTRACTS } from './compile.ts'

it.each(CONTRACTS)(
  '$name: the committed code is what the pinned compiler makes',
  async ({ source, code }) => {
    expect(await compileTolk(source)).toEqual(JSON.parse(readFileSync(code, 'utf8')))
  },
)

it('hash and code belong together', () => {
  expect(jettonChannelCode().hash().toString('hex')).toBe(JETTON_CHANNEL_CODE_HASH)
})

it('README, contract and errors.ts name the same exit codes', () => {
  const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8')
  const readme = read('README.md').replace(/ +/g, ' ')
  for (const [name, code] of Object.entries(JETTON_CHANNEL_EXIT)) {
    expect(readme).toContain(`| ${code} | ${name} |`)
    expect(read('jetton-channel.tolk')).toMatch(
      new RegExp(`const ERR_${name} = (${code}|0x${code.toString(16)})\\b`, 'i'),
    )
  }
})
