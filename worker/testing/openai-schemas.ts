/**
 * Checks documents against JSON Schemas that are made, when tests run, from the types of the `openai` package: what its
 * users' programs were compiled against. Unknown members are errors too, but for those of {@link EXTRAS}. And against
 * our own schemas, which our OpenAPI document shows.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import { createGenerator } from 'ts-json-schema-generator'
import * as ours from '../protocol/documents/index.ts'
import type { JsonSchema } from '../protocol/readers.ts'

/** The kinds of documents: the types of `openai-types.ts`, less `Document`. */
export type OpenAiKind =
  | 'Chat'
  | 'ChatChunk'
  | 'Completion'
  | 'Embeddings'
  | 'Response'
  | 'ResponseEvent'
  | 'InputTokens'
  | 'Model'
  | 'Models'
  | 'Failure'

/** Members that are ours (or many servers'), by the type that they are in. */
const EXTRAS: Readonly<Record<string, readonly string[]>> = {
  ChatCompletionMessage: ['reasoning_content'],
  'ChatCompletionChunk.Choice.Delta': ['reasoning_content'],
  Completion: ['obfuscation'],
  Model: ['chrysalis'],
  Response: ['store'],
  // As in the item itself.
  'ResponseTextDeltaEvent.Logprob': ['bytes'],
  'ResponseTextDeltaEvent.Logprob.TopLogprob': ['bytes'],
  'ResponseTextDoneEvent.Logprob': ['bytes'],
  'ResponseTextDoneEvent.Logprob.TopLogprob': ['bytes'],
}

const OURS: Readonly<Record<OpenAiKind, JsonSchema>> = {
  Chat: ours.chatCompletionSchema,
  ChatChunk: ours.chatChunkSchema,
  Completion: { anyOf: [ours.completionSchema, ours.completionChunkSchema] },
  Embeddings: ours.embeddingsSchema,
  Response: ours.responseSchema,
  ResponseEvent: ours.responseEventSchema,
  InputTokens: ours.inputTokensSchema,
  Model: ours.modelSchema,
  Models: ours.modelsSchema,
  Failure: ours.failureSchema,
}

interface Schema {
  type?: string
  properties?: Record<string, Schema | object>
  required?: string[]
  items?: unknown
}

const root = join(import.meta.dirname, '..', '..')
const typesFile = join(import.meta.dirname, 'openai-types.ts')

/**
 * Checks that `document` is what the official client's types and our own schemas say.
 * @throws Error naming the kind and every place that is wrong
 */
export function validateAgainstOpenAi(kind: OpenAiKind, document: unknown): void {
  check("OpenAI's", kind, theirs(kind, document), document)
  check('our', kind, compiled(`our ${kind}`, OURS[kind]), document)
}

function check(whose: string, kind: OpenAiKind, validate: ValidateFunction, document: unknown): void {
  if (validate(document)) return
  const problems = validate.errors?.map(
    ({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
  )
  throw new Error(`not ${whose} ${kind}:\n  ${problems?.join('\n  ')}\n${JSON.stringify(document, null, 2)}`)
}

/** An event is checked as the one that its type says, so that the problems told are of that one alone. */
function theirs(kind: OpenAiKind, document: unknown): ValidateFunction {
  const all = ajvWithTypes().definitions
  const type = kind === 'ResponseEvent' ? (document as { type?: unknown }).type : undefined
  const event = Object.keys(all).find(
    (name) => /^Response\w+Event$/.test(name) && (all[name]?.properties?.type as Constant)?.const === type,
  )
  const name = (type !== undefined && event) || `${kind}Document`
  return compiled(name, { $ref: `openai#/definitions/${name}` })
}

interface Constant {
  const?: unknown
}

const validators = new Map<string, ValidateFunction>()

function compiled(name: string, schema: JsonSchema): ValidateFunction {
  const made = validators.get(name) ?? ajvWithTypes().ajv.compile(schema)
  validators.set(name, made)
  return made
}

let shared: { readonly ajv: Ajv; readonly definitions: Record<string, Schema> } | undefined

function ajvWithTypes(): NonNullable<typeof shared> {
  if (shared) return shared
  const all = amended(definitions())
  const ajv = new Ajv({ strict: false, allErrors: true, schemas: { openai: { definitions: all } } })
  shared = { ajv, definitions: all }
  return shared
}

/** The official client's types as JSON Schemas, by their names; requests are `ChatRequestDocument` and so on. */
export function openAiDefinitions(): Readonly<Record<string, JsonSchema>> {
  return ajvWithTypes().definitions as Readonly<Record<string, JsonSchema>>
}

/** Making the schemas takes some seconds: they are kept under `node_modules` for one version of the package. */
function definitions(): Record<string, Schema> {
  const manifest = readFileSync(join(root, 'node_modules', 'openai', 'package.json'), 'utf8')
  const name = createHash('sha256')
    .update(manifest)
    .update(readFileSync(typesFile))
    .digest('hex')
    .slice(0, 16)
  const folder = join(root, 'node_modules', '.cache', 'chrysalis')
  const path = join(folder, `openai-${name}.json`)
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // Not made yet.
  }
  const made = generate()
  mkdirSync(folder, { recursive: true })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, JSON.stringify(made))
  renameSync(temporary, path)
  return made
}

function generate(): Record<string, Schema> {
  const generator = createGenerator({
    path: typesFile,
    type: '*',
    skipTypeCheck: true,
    additionalProperties: false,
    jsDoc: 'none',
  })
  return generator.createSchema('*').definitions as Record<string, Schema>
}

/** The types as the service's answers are: where they differ, the types are those of the client's own objects. */
function amended(made: Record<string, Schema>): Record<string, Schema> {
  for (const [name, members] of Object.entries(EXTRAS)) {
    const properties = definition(made, name).properties
    for (const member of members) if (properties) properties[member] = {}
  }
  // Every event of a response may be padded, not only those of text.
  for (const [name, { properties }] of Object.entries(made)) {
    if (/^Response\w+Event$/.test(name) && properties) properties.obfuscation = { type: 'string' }
  }
  // The client adds this member to what it receives.
  const response = definition(made, 'Response')
  response.required = response.required?.filter((member) => member !== 'output_text') ?? []
  // The first token of an echoed prompt has no probability: null, in the service's answers and in lm-eval's reading.
  const logprobs = definition(made, 'CompletionChoice.Logprobs').properties ?? {}
  for (const member of ['token_logprobs', 'top_logprobs'] as const) {
    const array = logprobs[member] as Schema
    array.items = { anyOf: [array.items, { type: 'null' }] }
  }
  // A piece of a stream ends for no reason yet.
  orNull(definition(made, 'CompletionChoice'), 'finish_reason')
  // The service tells these as null where there is nothing to tell.
  orNull(definition(made, 'Completion'), 'usage')
  orNull(response, 'usage', 'user')
  // As base64, which the client asks for by itself and takes apart.
  const embedding = definition(made, 'Embedding').properties ?? {}
  embedding.embedding = { anyOf: [embedding.embedding, { type: 'string' }] }
  return made
}

function orNull({ properties = {} }: Schema, ...members: readonly string[]): void {
  for (const member of members) properties[member] = { anyOf: [properties[member], { type: 'null' }] }
}

function definition(made: Record<string, Schema>, name: string): Schema {
  const found = made[name]
  if (!found) throw new Error(`openai's types have no ${name} any more`)
  return found
}
