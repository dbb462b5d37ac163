import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chainModel, GgufWriter } from '../testing/chain-model.ts'
import * as templates from '../testing/templates.ts'
import { limits, type ReadAt, readGgufHeader } from './header.ts'
import { identify, slug } from './identity.ts'

const over = (bytes: Uint8Array): ReadAt => {
  return (offset, length) => bytes.subarray(offset, offset + length)
}

function written(entries: Parameters<GgufWriter['header']>[1], tensors = 0): Uint8Array {
  const writer = new GgufWriter()
  writer.header(tensors, entries)
  return writer.bytes()
}

const invalid = expect.objectContaining({ code: 'ERR_MODEL_INVALID' })
const model = chainModel({ chains: { A: ['B'] }, name: 'My Model 1.5B' })

describe('readGgufHeader', () => {
  it('reads what the writer wrote', () => {
    const { version, tensorCount, entries } = readGgufHeader(over(model))
    expect([version, tensorCount]).toEqual([3, 12])
    expect(entries.get('general.name')?.value).toBe('My Model 1.5B')
    expect(entries.get('llama.context_length')?.value).toBe(512)
    expect(entries.get('tokenizer.ggml.add_bos_token')?.value).toBe(true)
    expect(entries.get('tokenizer.ggml.tokens')?.value).toBeUndefined()
  })

  it('reads short lists of texts', () => {
    const header = readGgufHeader(over(written([['chrysalis.languages', ['de', 'en']]])))
    expect(identify(header, undefined, 'x').languages).toEqual(['de', 'en'])
  })

  it('survives any change of any byte, and any cut', () => {
    const header = model.subarray(0, 12_000)
    fc.assert(
      fc.property(fc.nat(600), fc.nat(255), fc.option(fc.nat(12_000)), (at, value, cut) => {
        const changed = header.slice(0, cut ?? header.length)
        if (at < changed.length) changed[at] = value
        try {
          readGgufHeader(over(changed))
        } catch (cause) {
          expect(cause).toEqual(invalid)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('allocates nothing for absurd claims', () => {
    const claims = (position: number) => {
      const bytes = written([['general.name', 'x']])
      new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(position, 2n ** 60n, true)
      return () => readGgufHeader(over(bytes))
    }
    for (const position of [8, 16, 24, 24 + 8 + 12 + 4]) expect(claims(position)).toThrow(invalid)
  })

  it('refuses other versions, doubled keys and a header without end', () => {
    const old = written([])
    new DataView(old.buffer, old.byteOffset).setUint32(4, 1, true)
    expect(() => readGgufHeader(over(old))).toThrow('version 1')
    const doubled = written([
      ['a', 1],
      ['a', 2],
    ])
    expect(() => readGgufHeader(over(doubled))).toThrow('occurs twice')
    const endless: ReadAt = (offset, length) => {
      const start = written([['tokenizer.ggml.scores', new Float32Array(2)]])
      new DataView(start.buffer, start.byteOffset).setBigUint64(
        start.length - 16,
        BigInt(limits.arrayElements),
        true,
      )
      const bytes = new Uint8Array(length)
      if (offset < start.length) bytes.set(start.subarray(offset, offset + length))
      return bytes
    }
    expect(() => readGgufHeader(endless)).not.toThrow()
  })
})

describe('identify', () => {
  const header = readGgufHeader(over(model))

  it('names the model', () => {
    expect(identify(header, undefined, 'file')).toMatchObject({
      id: 'my-model-1.5b',
      quantization: 'F32',
      promptStyle: 'jinja',
      trainedContext: 512,
    })
    expect(identify(header, 'mine', 'file').id).toBe('mine')
    expect(slug('  Ünïcode / Näme!')).toBe('unicode-/-name')
    expect(slug('???')).toBe('model')
  })

  it('tells what the model was taught', () => {
    const told = (entries: Parameters<GgufWriter['header']>[1]) =>
      identify(readGgufHeader(over(written(entries))), undefined, 'file')
    expect(told([['tokenizer.chat_template', templates.qwen]])).toMatchObject({
      toolFormat: 'hermes',
      reasoning: { open: '<think>', close: '</think>' },
    })
    const plain = told([['tokenizer.chat_template', templates.gemma]])
    expect(Object.keys(plain)).not.toContain('toolFormat')
    expect(Object.keys(plain)).not.toContain('reasoning')
    expect(plain).not.toHaveProperty('infill')
    expect(
      told([['tokenizer.ggml.tokens', ['<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>']]]).infill,
    ).toBe(true)
    const ids = ['pre', 'suf', 'mid'].map((name, id) => [`tokenizer.ggml.fim_${name}_token_id`, id] as const)
    expect(told(ids).infill).toBe(true)
    expect(told(ids.slice(1))).not.toHaveProperty('infill')
    const { vocabularySize, embeddingLength } = identify(header, undefined, 'file')
    expect(vocabularySize).toBeGreaterThan(256)
    expect(embeddingLength % 32).toBe(0)
  })

  it.each([
    ['general.name', 'Tencent Hunyuan MT 7B', 'hunyuan-mt'],
    ['general.name', 'HY-MT1.5-1.8B', 'hunyuan-mt'],
    ['general.basename', 'Seed-X-PPO', 'seed-x'],
    ['general.name', 'Translategemma 4b It', 'translategemma'],
    ['tokenizer.chat_template', templates.translateGemma, 'translategemma'],
    ['general.basename', 'Qwen3', 'qwen3'],
    ['general.architecture', 'llama', 'llama'],
  ])('knows the family by %s %s', (key, value, family) => {
    expect(identify(readGgufHeader(over(written([[key, value]]))), undefined, 'x').family).toBe(family)
  })

  it('tells tokenizers and templates apart, and nothing else', () => {
    const digests = (entries: Parameters<GgufWriter['header']>[1]) => {
      const { tokenizerSha256, templateSha256 } = identify(
        readGgufHeader(over(written(entries))),
        undefined,
        'x',
      )
      return [tokenizerSha256, templateSha256]
    }
    const base = [
      ['tokenizer.ggml.model', 'llama'],
      ['tokenizer.chat_template', 'A'],
    ] as const
    const [tokenizer, template] = digests(base)
    expect(digests([['general.name', 'other'], ...base])).toEqual([tokenizer, template])
    expect(digests([...base].reverse())).toEqual([tokenizer, template])
    const otherTemplate = digests([base[0], ['tokenizer.chat_template', 'B']])
    expect(otherTemplate[0]).toBe(tokenizer)
    expect(otherTemplate[1]).not.toBe(template)
    const otherTokenizer = digests([['tokenizer.ggml.model', 'gpt2'], base[1]])
    expect(otherTokenizer[0]).not.toBe(tokenizer)
    expect(otherTokenizer[1]).toBe(template)
  })
})
