import { describe, expect, it } from 'vitest'
import { measureGas, recordedGas } from '../gas.ts'
import compiled from './channel.code.json' with { type: 'json' }
import { CHANNEL_CODE_HASH, channelCode } from './code.ts'
import { compileChannel } from './compile.ts'

describe('channel code', () => {
  it('is what the pinned compiler makes of channel.tolk', async () => {
    const fresh = await compileChannel()
    expect(fresh).toEqual(compiled)
    expect(channelCode().toBoc().toString('base64')).toBeTruthy()
    expect(channelCode().hash().toString('hex')).toBe(CHANNEL_CODE_HASH)
  })

  it('takes no more gas and fees than recorded, within 2 %, and a settle no more than 4,958', async () => {
    const recorded = new Map(recordedGas().map((row) => [row.operation, row]))
    const measured = await measureGas()
    expect(measured.map((row) => row.operation)).toEqual([...recorded.keys()])
    for (const row of measured) {
      const cure = `${row.operation}: node contracts/gas.ts --write records a wanted change`
      for (const column of ['channelGas', 'nanotons', 'nanotonsBefore2026'] as const) {
        const limit = (recorded.get(row.operation)?.[column] ?? 0) * 1.02
        expect(row[column], `${column} of ${cure}`).toBeLessThan(limit)
      }
      if (row.operation.startsWith('settle')) expect(row.channelGas).toBeLessThanOrEqual(4958)
    }
  })
})
