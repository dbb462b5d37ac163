/** @module POST /v1/embeddings. */

import type { Engine } from '../engine/types.ts'
import { contextLengthExceeded, invalidRequest } from '../protocol/errors.ts'
import { type EmbeddingRequest, parseEmbeddingRequest, type TextInput } from '../protocol/index.ts'
import { checkAgreement } from './agreement.ts'
import { bodyOf } from './documents.ts'
import { maxChargeTooLow, toTaskError } from './errors.ts'
import { sideBySide } from './merge.ts'
import { unknownToken } from './sampling.ts'
import { type TaskContext, type TaskEvent, type TaskResult, usageOf } from './types.ts'

/** A gateway holds a whole answer until it is paid for: no more than 64 MiB, of which this leaves some room. */
const MOST_BYTES = 60 * 1024 * 1024
/** A number of a vector as JSON, at most, with its comma. */
const NUMBER_BYTES = 25
/** Vectors that are computed ahead of each other. */
const SIDE_BY_SIDE = 4

/** Embeds one text or many; one document. */
export async function* embedding(
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<TaskEvent, TaskResult> {
  const request = parseEmbeddingRequest(json)
  checkAgreement(request, context)
  const { inputs, encodingFormat } = request
  const { embeddingLength, vocabularySize } = engine.info
  const length = lengthOf(request, embeddingLength)
  for (const [index, input] of inputs.entries()) checkInput(input, index, vocabularySize)
  const { meter } = context
  const data: object[] = []
  await checkLengths(inputs, context, engine)
  try {
    for await (const { index, vector, tokens } of embedAll(inputs, context, engine)) {
      const promptTokens = meter.promptTokens + tokens
      checkTotal(promptTokens, context)
      meter.promptTokens = promptTokens
      const embedding = encode(shortened(vector, length), encodingFormat)
      data[index] = { object: 'embedding', index, embedding }
    }
  } catch (cause) {
    throw toTaskError(cause, 'input')
  }
  const usage = usageOf(meter)
  const { prompt_tokens, total_tokens } = usage
  yield bodyOf({ object: 'list', data, model: context.model, usage: { prompt_tokens, total_tokens } })
  return { finishReason: 'stop', usage }
}

interface Embedded {
  readonly index: number
  readonly vector: Float32Array
  readonly tokens: number
}

/** One of many that does not fit is refused before any of them is computed, as nobody would pay for those. */
async function checkLengths(
  inputs: readonly TextInput[],
  context: TaskContext,
  engine: Engine,
): Promise<void> {
  if (inputs.length === 1) return
  let total = 0
  for (const [index, input] of inputs.entries()) {
    try {
      total += await engine.countInput(input, context.signal)
    } catch (cause) {
      throw toTaskError(cause, `input[${index}]`)
    }
  }
  checkTotal(total, context)
}

/** @throws ApiError 400 for more tokens than are paid for */
function checkTotal(promptTokens: number, { maxPromptTokens, affordable }: TaskContext): void {
  if (promptTokens > maxPromptTokens) throw contextLengthExceeded(maxPromptTokens, promptTokens, 'input')
  if (affordable(promptTokens, 0) < 0) throw maxChargeTooLow()
}

function embedAll(
  inputs: readonly TextInput[],
  { maxPromptTokens, signal }: TaskContext,
  engine: Engine,
): AsyncGenerator<Embedded> {
  const most = Math.min(maxPromptTokens, engine.info.contextLength)
  const width = Math.min(SIDE_BY_SIDE, engine.sequences)
  return sideBySide([...inputs.entries()], width, signal, async function* ([index, input], stop) {
    yield { index, ...(await engine.embed(input, most, stop)) }
  })
}

/** @throws ApiError 400 when the model has fewer dimensions, or the answer would be too long */
function lengthOf({ dimensions, inputs, encodingFormat }: EmbeddingRequest, own: number): number {
  const length = dimensions ?? own
  if (length > own) {
    throw invalidRequest(
      'dimensions',
      `Invalid 'dimensions': this model's vectors have ${own}. Ask for at most as many.`,
      'invalid_value',
    )
  }
  const bytes = inputs.length * length * (encodingFormat === 'base64' ? 16 / 3 : NUMBER_BYTES)
  if (bytes <= MOST_BYTES) return length
  throw invalidRequest(
    'input',
    `Invalid 'input': ${inputs.length} vectors of ${length} numbers are more than one answer holds. Send fewer texts, or ask for 'encoding_format' base64.`,
    'array_above_max_length',
  )
}

function checkInput(input: TextInput, index: number, vocabularySize: number): void {
  if ('tokens' in input && input.tokens.some((token) => token >= vocabularySize)) {
    throw unknownToken(`input[${index}]`)
  }
}

/** The first `length` numbers, of length 1 again. */
function shortened(vector: Float32Array, length: number): Float32Array {
  if (length === vector.length) return vector
  const cut = vector.subarray(0, length)
  const norm = Math.hypot(...cut)
  return norm === 0 ? cut : cut.map((value) => value / norm)
}

/** Base64 is of little-endian 32-bit floats. */
function encode(vector: Float32Array, format: EmbeddingRequest['encodingFormat']): number[] | string {
  if (format === 'float') return [...vector]
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
