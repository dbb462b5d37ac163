import { randomBytes } from 'node:crypto'
import { beginCell, Cell, external, internal, storeMessage } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { MemoryChain, TestChannel } from '../testing.ts'
import { parseExternal } from './external.ts'

/** So many cells, each in the next. */
function deep(levels: number): Cell {
  let cell = Cell.EMPTY
  for (let level = 0; level < levels; level++) cell = beginCell().storeUint(1, 8).storeRef(cell).endCell()
  return cell
}

describe('external messages', () => {
  it('that the emulator would crash on are refused before it sees them, and the next one is taken', async () => {
    const chain = await MemoryChain.create()
    const test = await TestChannel.create(chain)
    await test.from(test.payer, test.channel.deploy(1_000_000_000n))
    const sent = (body: Cell) => {
      const message = external({ to: test.channel.address, body })
      return chain.send(beginCell().store(storeMessage(message)).endCell().toBoc())
    }
    const refused = (body: Cell, message: RegExp) =>
      expect(sent(body)).rejects.toMatchObject({
        code: 'ERR_CHAIN_REJECTED',
        message: expect.stringMatching(message),
      })
    // As deep as may be: the contract itself refuses it.
    await refused(deep(320), /did not accept/)
    for (const levels of [321, 450, 512, 1000]) await refused(deep(levels), /levels/)
    expect((await test.from(test.payer, test.channel.topUp(1n))).success).toBe(true)
  })

  it('are refused when there are too many bytes, or when they are none', () => {
    const refused = (boc: Uint8Array, message: RegExp) =>
      expect(() => parseExternal(boc)).toThrow(
        expect.objectContaining({ code: 'ERR_CHAIN_REJECTED', message: expect.stringMatching(message) }),
      )
    refused(randomBytes(65_536), /bytes/)
    refused(randomBytes(100), /bag of cells/)
    refused(new Uint8Array(), /bag of cells/)
    refused(deep(3).toBoc(), /message/)
    const to = beginCell()
      .storeUint(4, 3)
      .storeUint(0, 8)
      .storeUint(1, 256)
      .endCell()
      .beginParse()
      .loadAddress()
    const inner = internal({ to, value: 1n })
    refused(
      beginCell()
        .store(storeMessage({ ...inner, info: { ...inner.info, src: to } } as never))
        .endCell()
        .toBoc(),
      /external/,
    )
  })
})
