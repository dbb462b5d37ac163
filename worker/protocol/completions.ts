/** POST /v1/completions: what a worker accepts. Text is continued as it is, without a chat template. */

import { cachePartition, MAX_CHOICES } from './chat.ts'
import { defaulted, optional, parseFields } from './fields.ts'
import { modelField } from './model-field.ts'
import { arrayOf, boolean, integer, mapped, type Reader, text, textOr } from './readers.ts'
import { invalidCombination } from './refusals.ts'
import {
  type SamplingRequest,
  type StreamRequest,
  samplingFields,
  samplingOf,
  streamFields,
  streamOf,
} from './sampling.ts'

/** The most prompts of one request, and the most answers of all of them together. */
export const MAX_PROMPTS = 128

/** A text, or the tokens of one. */
export type TextInput = { text: string } | { tokens: number[] }

/** A completion request, read and filled with OpenAI's defaults. */
export interface CompletionRequest extends SamplingRequest, StreamRequest {
  model: string
  /** One to 128; answers come in the order of prompts, `n` for each. */
  prompts: TextInput[]
  /** Begin each answer with its prompt. */
  echo: boolean
  /** Tell log probabilities, with this many alternatives for each token (0 to 5); absent: none. */
  logprobs?: number
  /** What comes after the answer: the model fills in between. */
  suffix?: string
  /** Answers to make for each prompt, of which the `n` best are told; at least `n`. */
  bestOf: number
  n: number
  /** Default 16; 0 reads the prompt only. */
  maxTokens: number
  user?: string
  /** As in a chat completion. */
  cachePartition?: string
}

const tokens = arrayOf(integer(0, 0x7fff_ffff), 1, 1 << 20)

/**
 * One text, several, the tokens of one or of several: what OpenAI takes as a prompt or an input. The first item of an
 * array says which.
 * @param plain one text
 * @param most the most texts
 */
export function textInputs(plain: Reader<string>, most: number): Reader<TextInput[]> {
  const one = mapped(plain, (text): TextInput => ({ text }))
  const tokenised = mapped(tokens, (ids): TextInput => ({ tokens: ids }))
  const texts = arrayOf(one, 1, most)
  const lists = arrayOf(tokenised, 1, most)
  const several: Reader<TextInput[]> = {
    schema: { anyOf: [texts.schema, tokens.schema, lists.schema] },
    read(value, path) {
      const first: unknown = Array.isArray(value) ? value[0] : undefined
      if (typeof first === 'number') return [tokenised.read(value, path)]
      return Array.isArray(first) ? lists.read(value, path) : texts.read(value, path)
    },
  }
  const single = mapped(one, (input) => [input])
  return textOr(
    single,
    several,
    'one of a string, array of strings, array of integers or array of arrays of integers',
  )
}

/** Every field of OpenAI's CreateCompletionRequest, and the extras of sampling. */
export const completionFields = {
  model: modelField,
  prompt: defaulted(
    textInputs(text(), MAX_PROMPTS),
    [{ text: '' }],
    'A text, up to 128 texts, or their token ids; null is the beginning of a new text.',
  ),
  max_tokens: defaulted(integer(0), 16, 'Bound on the tokens of each answer; 0 reads the prompt only.'),
  n: defaulted(integer(1, MAX_CHOICES), 1, 'Answers for each prompt; its tokens are charged once.'),
  best_of: optional(
    integer(1, 20),
    'Make so many answers for each prompt and tell the `n` likeliest; not while streaming. All are charged.',
  ),
  echo: defaulted(boolean, false, 'Begin each answer with its prompt, with log probabilities if asked for.'),
  logprobs: optional(
    integer(0, 5),
    "Tell the model's own log probability of each token, and of so many alternatives.",
  ),
  suffix: optional(text(), 'Text after the answer: fills in between, where the model was taught to.'),
  ...samplingFields,
  ...streamFields,
  user: optional(text({ max: 512 }), 'The end user. Requests of one account and user share a prompt cache.'),
}

/**
 * Reads a completion request.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export function parseCompletionRequest(json: unknown): CompletionRequest {
  const fields = parseFields(completionFields, json)
  const { model, prompt: prompts, echo, logprobs, suffix, n, user } = fields
  const stream = streamOf(fields)
  const bestOf = fields.best_of ?? n
  if (bestOf < n) throw invalidCombination('best_of', "'best_of' must be at least 'n'.")
  if (bestOf > n && stream.stream) {
    throw invalidCombination(
      'best_of',
      "'best_of' above 'n' cannot be streamed: the best is known at the end.",
    )
  }
  if (prompts.length * bestOf > MAX_PROMPTS) {
    throw invalidCombination(
      'prompt',
      `A request may make ${MAX_PROMPTS} answers for all its prompts together.`,
    )
  }
  if (suffix !== undefined && echo) {
    throw invalidCombination('suffix', "'suffix' cannot be combined with 'echo'.")
  }
  const partition = cachePartition(undefined, undefined, user)
  return {
    model,
    prompts,
    echo,
    bestOf,
    n,
    maxTokens: fields.max_tokens,
    ...samplingOf(fields),
    ...stream,
    ...(logprobs !== undefined && { logprobs }),
    ...(suffix !== undefined && { suffix }),
    ...(user !== undefined && { user }),
    ...(partition !== undefined && { cachePartition: partition }),
  }
}
