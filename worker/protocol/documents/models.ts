/** Documents of `GET /v1/models`. */

import { about, amount, count, list, literal, named, record, seconds, string } from './schema.ts'

const price = about(
  record({
    prompt: amount,
    cached: amount,
    completion: amount,
    reasoning: amount,
    currency: literal('TON'),
    unit: literal('nanoton per million tokens'),
  }),
  'What a client pays.',
)

export const modelSchema = named(
  'Model',
  record({
    id: about(string, 'The name to send as `model`.'),
    object: literal('model'),
    created: seconds,
    owned_by: string,
    chrysalis: about(
      record(
        {
          sha256: about(string, "SHA-256 of the weights' file, in hex: what a worker's evidence proves."),
          quantization: string,
          context_length: about(count, 'Tokens of prompt and answer together.'),
          modalities: record({ input: list(string), output: list(string) }),
          price,
          workers: about(count, 'Verified workers that serve it now.'),
          tee: about(string, 'The weakest kind of TEE among them.'),
        },
        {
          aliases: list(string),
          alias_of: string,
          languages: about(list(string), 'BCP 47 tags of languages that it translates between.'),
        },
      ),
      'What is not of OpenAI.',
    ),
  }),
)

export const modelsSchema = named('Models', record({ object: literal('list'), data: list(modelSchema) }))
