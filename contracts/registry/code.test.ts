import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compileTolk } from '../tolk.ts'
import { REGISTRY_CODE_HASH, registryCode } from './code.ts'
import { REGISTRY_SOURCE } from './compile.ts'
import { REGISTRY_EXIT, registryExitName } from './exits.ts'
import { measureRegistryGas, recordedRegistryGas, registryGasTable } from './gas.ts'
import compiled from './registry.code.json' with { type: 'json' }

/** Tables without the spaces and dashes that only align them. */
const plain = (text: string) => text.replace(/ +/g, ' ').replace(/\| ?-+ ?(?=\|)/g, '|-')

const readme = plain(readFileSync(new URL('README.md', import.meta.url), 'utf8'))
const tolk = readFileSync(new URL('registry.tolk', import.meta.url), 'utf8')

describe('registry code', () => {
  it('is what the pinned compiler makes of registry.tolk', async () => {
    expect(await compileTolk(REGISTRY_SOURCE)).toEqual(compiled)
    expect(registryCode().hash().toString('hex')).toBe(REGISTRY_CODE_HASH)
  })

  it('takes no more gas and fees than recorded, within 2 %', async () => {
    const recorded = new Map(recordedRegistryGas().map((row) => [row.operation, row]))
    const measured = await measureRegistryGas()
    expect(measured.map((row) => row.operation)).toEqual([...recorded.keys()])
    for (const row of measured) {
      const cure = `${row.operation}: node contracts/registry/gas.ts --write records a wanted change`
      for (const column of ['gas', 'nanotons', 'nanotonsBefore2026'] as const) {
        const limit = (recorded.get(row.operation)?.[column] ?? 0) * 1.02
        expect(row[column], `${column} of ${cure}`).toBeLessThan(limit)
      }
    }
  })

  it('README, contract and exits.ts name the same exit codes and the recorded gas', () => {
    for (const [name, code] of Object.entries(REGISTRY_EXIT)) {
      expect(readme).toContain(`| ${code} | ${name} |`)
      expect(tolk).toMatch(new RegExp(`const ERR_${name} = (${code}|0x${code.toString(16)})\\b`, 'i'))
      expect(registryExitName(code)).toBe(name)
    }
    expect(readme).toContain(plain(registryGasTable(recordedRegistryGas())))
  })
})
