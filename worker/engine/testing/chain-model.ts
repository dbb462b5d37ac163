/**
 * @module A model whose every answer is known. It is a real Llama in a real GGUF, but its attention and
 * feed-forward weights are zero and its embeddings are unit vectors, so the next token depends on the last one
 * only: the output matrix is a table of successors. Tests of the engine write their scripts into that table.
 */

import { ggufType } from '../gguf/header.ts'

export interface ChainModelOptions {
  /** Successors of a piece; several are equally likely. A piece without successors ends the answer. */
  readonly chains: Readonly<Record<string, readonly string[]>>
  readonly contextLength?: number
  readonly name?: string
  /** With tokens to fill in a middle: `<|prefix|>`, `<|suffix|>`, `<|middle|>`. */
  readonly infill?: boolean
  /** The tokenizer puts a space before any text, and detokenizing takes it away again, as Llama 2 does. */
  readonly spacePrefix?: boolean
  /** Damage: a weight that is not a number, or a header that makes llama.cpp abort. */
  readonly damage?: 'nan' | 'no-heads'
}

const tokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 } as const
const specials = [
  ['<unk>', tokenType.unknown],
  ['<s>', tokenType.control],
  ['</s>', tokenType.control],
  ['<|user|>', tokenType.control],
  ['<|assistant|>', tokenType.control],
  ['<|system|>', tokenType.control],
  ['<|end|>', tokenType.control],
  ['<|tool|>', tokenType.userDefined],
] as const
const infillMarks = ['<|prefix|>', '<|suffix|>', '<|middle|>'] as const
const infillKeys = ['pre', 'suf', 'mid'].map((name) => `tokenizer.ggml.fim_${name}_token_id`)
const beginToken = 1
const endToken = 2

/** The last message's last token comes last, so a test chooses the script by the letter that it ends with. */
const template = '{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}'

const headSize = 32
/** Far enough above the other logits (zero) that a temperature of 2 changes nothing. */
const certainty = 4

/** A name of the byte token for one byte, for use in chains. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
}

/** The GGUF file (version 3, F32) of a chain model; about 3 MB, the same bytes each time. */
export function chainModel(options: ChainModelOptions): Uint8Array {
  const bytes = Array.from({ length: 256 }, (_, byte) => byteToken(byte))
  const marks = options.infill ? infillMarks : []
  const known = new Set<string>([...specials.map(([text]) => text), ...bytes, ...marks])
  const used = new Set(Object.entries(options.chains).flatMap(([piece, next]) => [piece, ...next]))
  const pieces = [...used].filter((piece) => !known.has(piece))
  const vocabulary = [...known, ...pieces]
  const types = vocabulary.map((text, id) => {
    if (id < specials.length) return specials[id]?.[1] ?? tokenType.control
    if (marks.some((mark) => mark === text)) return tokenType.control
    return bytes.includes(text) ? tokenType.byte : tokenType.normal
  })
  const width = Math.ceil(vocabulary.length / headSize) * headSize
  const tensors = makeTensors(width, vocabulary, options)
  const file = new GgufWriter()
  file.header(tensors.length, [
    ['general.architecture', 'llama'],
    ['general.name', options.name ?? 'Chain Model'],
    ['general.file_type', 0],
    ['llama.context_length', options.contextLength ?? 512],
    ['llama.embedding_length', width],
    ['llama.block_count', 1],
    ['llama.feed_forward_length', headSize],
    ['llama.attention.head_count', options.damage === 'no-heads' ? 0 : width / headSize],
    ['llama.attention.head_count_kv', width / headSize],
    ['llama.attention.layer_norm_rms_epsilon', new Float32Array([1e-5])],
    ['llama.rope.dimension_count', headSize],
    ['llama.vocab_size', vocabulary.length],
    ['tokenizer.ggml.model', 'llama'],
    ['tokenizer.ggml.tokens', vocabulary.map((text) => text.replaceAll(' ', '\u2581'))],
    ['tokenizer.ggml.scores', Float32Array.from(vocabulary, (text) => text.length)],
    ['tokenizer.ggml.token_type', Int32Array.from(types)],
    ['tokenizer.ggml.bos_token_id', beginToken],
    ['tokenizer.ggml.eos_token_id', endToken],
    ['tokenizer.ggml.eot_token_id', specials.findIndex(([text]) => text === '<|end|>')],
    ['tokenizer.ggml.unknown_token_id', 0],
    ['tokenizer.ggml.add_bos_token', true],
    ['tokenizer.ggml.add_space_prefix', options.spacePrefix ?? false],
    ['tokenizer.chat_template', template],
    ...marks.map((mark, index) => [infillKeys[index] ?? '', vocabulary.indexOf(mark)] as const),
  ])
  file.tensors(tensors)
  return file.bytes()
}

interface Tensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

function makeTensors(width: number, vocabulary: readonly string[], options: ChainModelOptions): Tensor[] {
  const zeros = (name: string, ...shape: number[]): Tensor => ({
    name,
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  })
  const ones = (name: string): Tensor => ({ name, shape: [width], data: new Float32Array(width).fill(1) })
  const embedding = zeros('token_embd.weight', width, vocabulary.length)
  const output = zeros('output.weight', width, vocabulary.length)
  for (const [id, text] of vocabulary.entries()) {
    embedding.data[id * width + id] = 1
    for (const next of options.chains[text] ?? ['</s>']) {
      output.data[vocabulary.indexOf(next) * width + id] = certainty
    }
  }
  const query = zeros('blk.0.attn_q.weight', width, width)
  if (options.damage === 'nan') query.data.fill(Number.NaN)
  return [
    embedding,
    output,
    ones('output_norm.weight'),
    ones('blk.0.attn_norm.weight'),
    query,
    zeros('blk.0.attn_k.weight', width, width),
    zeros('blk.0.attn_v.weight', width, width),
    zeros('blk.0.attn_output.weight', width, width),
    ones('blk.0.ffn_norm.weight'),
    zeros('blk.0.ffn_gate.weight', width, headSize),
    zeros('blk.0.ffn_up.weight', width, headSize),
    zeros('blk.0.ffn_down.weight', headSize, width),
  ]
}

type Value = string | number | boolean | readonly string[] | Float32Array | Int32Array

const alignment = 32

/** Just enough of a GGUF writer: version 3, little-endian, F32 tensors. */
export class GgufWriter {
  readonly #parts: Uint8Array[] = []
  #length = 0

  header(tensorCount: number, entries: readonly (readonly [string, Value])[]): void {
    this.#push(Buffer.from('GGUF'))
    this.#u32(3)
    this.#u64(tensorCount)
    this.#u64(entries.length)
    for (const [key, value] of entries) {
      this.#text(key)
      this.#value(value)
    }
  }

  tensors(tensors: readonly Tensor[]): void {
    let offset = 0
    for (const { name, shape, data } of tensors) {
      this.#text(name)
      this.#u32(shape.length)
      for (const size of shape) this.#u64(size)
      this.#u32(0)
      this.#u64(offset)
      offset += Math.ceil(data.byteLength / alignment) * alignment
    }
    for (const { data } of tensors) {
      this.#align()
      this.#push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
    this.#align()
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#parts)
  }

  #value(value: Value): void {
    if (typeof value === 'string') {
      this.#u32(ggufType.string)
      this.#text(value)
    } else if (typeof value === 'boolean') {
      this.#u32(ggufType.bool)
      this.#push(Uint8Array.of(value ? 1 : 0))
    } else if (typeof value === 'number') {
      this.#u32(ggufType.uint32)
      this.#u32(value)
    } else if (value instanceof Float32Array && value.length === 1) {
      this.#u32(ggufType.float32)
      this.#push(new Uint8Array(value.buffer))
    } else {
      this.#u32(ggufType.array)
      this.#array(value)
    }
  }

  #array(value: Exclude<Value, string | number | boolean>): void {
    if (value instanceof Float32Array || value instanceof Int32Array) {
      this.#u32(value instanceof Float32Array ? ggufType.float32 : ggufType.int32)
      this.#u64(value.length)
      this.#push(new Uint8Array(value.buffer))
      return
    }
    this.#u32(ggufType.string)
    this.#u64(value.length)
    for (const text of value) this.#text(text)
  }

  #text(text: string): void {
    const bytes = Buffer.from(text)
    this.#u64(bytes.length)
    this.#push(bytes)
  }

  #u32(value: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    this.#push(bytes)
  }

  #u64(value: number): void {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    this.#push(bytes)
  }

  #align(): void {
    const rest = this.#length % alignment
    if (rest > 0) this.#push(new Uint8Array(alignment - rest))
  }

  #push(bytes: Uint8Array): void {
    this.#parts.push(bytes)
    this.#length += bytes.length
  }
}
