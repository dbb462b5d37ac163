/** Parts that several documents share. */

import type { JsonSchema } from '../readers.ts'
import { about, count, list, logprob, named, nullable, record, string } from './schema.ts'

/** Tokens of a request, as chat and text completions and translations count them. */
export const usageSchema = named(
  'Usage',
  record({
    prompt_tokens: about(count, 'Tokens of each distinct prompt, counted once.'),
    completion_tokens: about(count, 'Tokens of all choices, reasoning included.'),
    total_tokens: count,
    prompt_tokens_details: record({ cached_tokens: about(count, 'Read from the prompt cache.') }),
    completion_tokens_details: record(
      { reasoning_tokens: count },
      {
        accepted_prediction_tokens: about(count, 'Always 0: a prediction changes nothing.'),
        rejected_prediction_tokens: about(count, 'Always 0.'),
      },
    ),
  }),
)

const chance = {
  token: about(string, 'Its text; U+FFFD where it is a part of a character.'),
  logprob,
  bytes: about(
    list({ type: 'integer', minimum: 0, maximum: 255 }),
    'The bytes of all tokens, joined, are the bytes of the text.',
  ),
}

/** One token's log probability and its alternatives. */
export const tokenLogprobSchema = named(
  'TokenLogprob',
  record({ ...chance, top_logprobs: list(record(chance)) }),
)

/** The log probabilities of a choice. */
export const choiceLogprobsSchema: JsonSchema = about(
  nullable(record({ content: nullable(list(tokenLogprobSchema)), refusal: { type: 'null' } })),
  'Null unless `logprobs` were asked for.',
)

/** OpenAI's envelope of an error; the same within a stream. */
export const failureSchema = named(
  'Error',
  record({
    error: record({
      message: about(string, 'What is wrong and what to do; never a prompt, never a whole key.'),
      type: about(string, 'A class of errors, e.g. `invalid_request_error`.'),
      param: about(nullable(string), 'The field that is wrong, e.g. `messages[0].content`.'),
      code: about(nullable(string), 'A stable name, e.g. `context_length_exceeded`.'),
    }),
  }),
)
