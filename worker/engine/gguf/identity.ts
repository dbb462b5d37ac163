/** @module What the evidence claims about a model, from its metadata. */

import { createHash } from 'node:crypto'
import { familyOf, reasoningOf, toolFormatOf } from '../dialect/recognise.ts'
import type { ModelInfo } from '../types.ts'
import { type GgufEntry, type GgufHeader, type GgufScalar, ggufType } from './header.ts'

/** Everything of {@link ModelInfo} that the header tells, and what the engine needs to know before it loads. */
export interface ModelIdentity extends Omit<ModelInfo, 'sha256' | 'contextLength'> {
  /** Tokens that the model was trained for; undefined when the file does not say. */
  readonly trainedContext?: number
  /** The Jinja template, if the file has one. */
  readonly template?: string
}

/** Names of llama.cpp's file types (`general.file_type`) in use; others are shown as `type-N`. */
const fileTypes = new Map<number, string>([
  [0, 'F32'],
  [1, 'F16'],
  [2, 'Q4_0'],
  [3, 'Q4_1'],
  [7, 'Q8_0'],
  [8, 'Q5_0'],
  [9, 'Q5_1'],
  [10, 'Q2_K'],
  [11, 'Q3_K_S'],
  [12, 'Q3_K_M'],
  [13, 'Q3_K_L'],
  [14, 'Q4_K_S'],
  [15, 'Q4_K_M'],
  [16, 'Q5_K_S'],
  [17, 'Q5_K_M'],
  [18, 'Q6_K'],
  [19, 'IQ2_XXS'],
  [20, 'IQ2_XS'],
  [21, 'Q2_K_S'],
  [22, 'IQ3_XS'],
  [23, 'IQ3_XXS'],
  [24, 'IQ1_S'],
  [25, 'IQ4_NL'],
  [26, 'IQ3_S'],
  [27, 'IQ3_M'],
  [28, 'IQ2_S'],
  [29, 'IQ2_M'],
  [30, 'IQ4_XS'],
  [31, 'IQ1_M'],
  [32, 'BF16'],
  [36, 'TQ1_0'],
  [37, 'TQ2_0'],
  [38, 'MXFP4'],
])

/** Our own metadata keys, written by worker/model. */
const styleKey = 'chrysalis.prompt_style'
const languagesKey = 'chrysalis.languages'
const templateKey = 'tokenizer.chat_template'

function text(header: GgufHeader, key: string): string | undefined {
  const value = header.entries.get(key)?.value
  return typeof value === 'string' ? value : undefined
}

function whole(header: GgufHeader, key: string): number | undefined {
  const value: GgufScalar | readonly string[] | undefined = header.entries.get(key)?.value
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined
}

/** Elements of an array; 0 when the file has no such array. The count is behind the key and the two types. */
function arrayLength(header: GgufHeader, key: string): number {
  const entry = header.entries.get(key)
  if (entry?.type !== ggufType.array) return 0
  const { raw } = entry
  const at = 8 + Buffer.byteLength(key) + 4 + 4
  return Number(new DataView(raw.buffer, raw.byteOffset).getBigUint64(at, true))
}

/** `Some Model 7B` becomes `some-model-7b`. */
export function slug(name: string): string {
  const safe = name
    .slice(0, 1024)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9._/-]+/g, '-')
    .replace(/^[-./]+|[-./]+$/g, '')
  return safe.slice(0, 128) || 'model'
}

/**
 * SHA-256 over the raw bytes (key, type, value as in the file) of every `tokenizer.*` entry but the chat
 * templates, ordered by key. Two files with the same digest tokenize alike.
 */
export function tokenizerDigest(entries: ReadonlyMap<string, GgufEntry>): string {
  const hash = createHash('sha256')
  const keys = [...entries.keys()].filter(
    (key) => key.startsWith('tokenizer.') && !key.startsWith(templateKey),
  )
  for (const key of keys.sort()) hash.update(entries.get(key)?.raw ?? '')
  return hash.digest('hex')
}

function languages(header: GgufHeader): string[] | undefined {
  const value = header.entries.get(languagesKey)?.value
  if (Array.isArray(value)) return [...value]
  return typeof value === 'string' ? value.split(',').map((language) => language.trim()) : undefined
}

/** How vocabularies call the tokens around a prefix, a suffix and the middle to be filled in. */
const infillTokens = [
  ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'],
  ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'],
  ['<fim-prefix>', '<fim-suffix>', '<fim-middle>'],
  ['<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>'],
  ['<PRE>', '<SUF>', '<MID>'],
] as const

/** Named by the file, or found among its tokens, as llama.cpp finds them. */
function canInfill(header: GgufHeader): boolean {
  const named = ['pre', 'suf', 'mid'].every(
    (name) => whole(header, `tokenizer.ggml.fim_${name}_token_id`) !== undefined,
  )
  if (named) return true
  const tokens = Buffer.from(header.entries.get('tokenizer.ggml.tokens')?.raw ?? [])
  return infillTokens.some((marks) => marks.every((mark) => tokens.includes(mark)))
}

/** What the file calls the model, as slugs, the most telling first. */
function names(header: GgufHeader): string[] {
  const keys = ['general.basename', 'general.architecture', 'general.name', 'general.base_model.0.name']
  return keys.flatMap((key) => text(header, key) || []).map(slug)
}

/** @param id the name to serve the model under; default: a slug of the file's `general.name`, else `fallbackName`. */
export function identify(header: GgufHeader, id: string | undefined, fallbackName: string): ModelIdentity {
  const template = text(header, templateKey)
  const fileType = whole(header, 'general.file_type')
  const architecture = text(header, 'general.architecture') ?? ''
  const trainedContext = whole(header, `${architecture}.context_length`)
  const spoken = languages(header)
  const toolFormat = toolFormatOf(template)
  const reasoning = reasoningOf(template)
  const family = familyOf(names(header), template)
  return {
    id: id ?? slug(text(header, 'general.name') || fallbackName),
    quantization: fileType === undefined ? 'unknown' : (fileTypes.get(fileType) ?? `type-${fileType}`),
    tokenizerSha256: tokenizerDigest(header.entries),
    templateSha256: createHash('sha256')
      .update(template ?? '')
      .digest('hex'),
    embeddingLength: whole(header, `${architecture}.embedding_length`) ?? 0,
    vocabularySize: arrayLength(header, 'tokenizer.ggml.tokens'),
    promptStyle: text(header, styleKey) ?? (template === undefined ? 'plain' : 'jinja'),
    ...(spoken && { languages: spoken }),
    ...(toolFormat && { toolFormat }),
    ...(reasoning && { reasoning }),
    ...(canInfill(header) && { infill: true }),
    ...(family && { family }),
    ...(trainedContext && trainedContext > 0 && { trainedContext }),
    ...(template !== undefined && { template }),
  }
}

export { ggufType }
