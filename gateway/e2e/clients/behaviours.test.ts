/**
 * What a gateway for OpenAI's clients has to get right, in 78 points, and the test that holds each. The list came from
 * reading clients, servers and their bug trackers; here it is kept from losing a test unnoticed.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../stack.ts'

/** File below `gateway/` and a part of the source line that begins the test, or is its row. */
type Test = readonly [file: string, line: string]

const requests = (line: string): Test => ['e2e/clients/requests.ts', line]
const openai = (line: string): Test => ['e2e/clients/openai.ts', line]
const limits = (line: string): Test => ['e2e/clients/limits.test.ts', line]
const face = (line: string): Test => ['api/app.test.ts', line]
const contract = (line: string): Test => ['api/contract.test.ts', line]
const leaving = (line: string): Test => ['e2e/disconnect.test.ts', line]

const lists = openai('lists models and finds one with a slash in its name')
const refusals = openai('knows each refusal by its class')
const wrongKey = requests('that is missing or wrong is 401, with all four members')
const counts = requests('counts: what is told adds up, and absent things are null')
const shapes = openai('chats: the same by create(), by a stream and by the helper')
const parts = requests('content as a part is the same as a text, and developer as system')
const unicode = requests('any text of Unicode is read, and written')
const once = requests('names the role once, ends each choice once, and is one answer')
const usage = requests('tells usage in a last chunk iff it is asked for')
const forced = openai('streams deltas of a forced call, which add up to what comes whole')
const parsed = openai('parses structured output, and says when it was cut')
const echoes = openai('continues texts, and echoes them with log probabilities')

const BEHAVIOURS: readonly (readonly [number: number, what: string, ...tests: Test[]])[] = [
  [1, 'models are listed', lists],
  [2, 'a model is retrieved by owner/name', lists],
  [3, 'an unknown model is model_not_found', refusals],
  [
    4,
    '/health needs no key and is 503 while draining',
    face('says alive without a key'),
    face('says 503 to'),
  ],
  [5, 'no key is 401 with four members', wrongKey],
  [6, 'a wrong key is not echoed', wrongKey],
  [7, 'bearer in any case', requests('may be named by any case of bearer')],
  [8, 'a revoked key is refused once', limits('that is revoked is refused at once')],
  [
    9,
    'keys are found by digest: no comparison to time',
    ['ledger/ledger.test.ts', 'holds no secret of an API key'],
  ],
  [10, 'a completion has its shape', shapes],
  [11, 'tokens add up', counts],
  [12, 'refusal and logprobs are null', counts],
  [13, 'max_completion_tokens', requests('%s: 1')],
  [14, 'max_tokens', requests("'max_completion_tokens', 'max_tokens'")],
  [15, 'both are refused', requests('max_tokens: 5, max_completion_tokens: 5')],
  [16, 'the stop text is not told', requests('stop: the text ends before it')],
  [
    17,
    'four stop texts, not five',
    requests("'never', 'not this'"),
    requests("stop: ['a', 'b', 'c', 'd', 'e']"),
  ],
  [18, 'a seed repeats', requests('seed: the same twice, another for another')],
  [19, 'n choices', requests('n: choices by index, one prompt')],
  [20, 'n is 1 to 128', requests('{ n: 0 }'), requests('{ n: 129 }')],
  [21, 'temperature is a number from 0 to 2', requests('temperature: 2.1'), requests("temperature: 'hot'")],
  [22, 'top_logprobs needs logprobs', requests('{ top_logprobs: 1 }')],
  [23, 'log probabilities are of the text', requests('logprobs: of exactly the text, none above 0')],
  [24, 'logit_bias', requests('logit_bias: -100 bans a token'), requests('logit_bias: { 5: 101 }')],
  [
    25,
    'messages that are none',
    requests('messages: []'),
    requests('messages: [123]'),
    requests('messages: [{}]'),
  ],
  [26, 'bodies that are no object', requests('the body %j')],
  [27, 'content in parts', parts],
  [28, 'an image is refused by place', requests('messages: [user([image])]')],
  [29, 'developer is system', parts],
  [30, 'unknown fields are refused', requests('no_such_field')],
  [31, 'null is the default', requests('null stands for every default')],
  [32, 'all of Unicode', unicode],
  [
    33,
    'a prompt that is too long, before any head',
    requests('a prompt beyond the context, before any head'),
  ],
  [
    34,
    'a body that is too large',
    requests('beyond the limit is 413'),
    face('counts a chunked body and stops'),
  ],
  [35, 'another content type', requests('of another type 415')],
  [36, 'gzip', requests('may be compressed'), ['e2e/clients/commands.ts', 'compressed or not']],
  [37, 'headers of a stream', requests('is not to be kept, changed or held back on its way')],
  [38, 'the role once', once],
  [39, 'one id', once],
  [40, 'one finish for each choice', once],
  [41, 'one [DONE], last', once],
  [42, 'no usage unasked', usage],
  [43, 'usage in a last chunk', usage],
  [44, 'stream_options needs stream', requests('{ stream_options: { include_usage: true } }')],
  [45, 'deltas join to the whole', once, shapes],
  [46, 'the stream helper resolves', shapes],
  [47, 'no half characters', unicode],
  [48, 'a client that leaves stops the worker', leaving('in mid-stream stops the engine within one token')],
  [49, 'also before the first token', limits('a stream that is given up before its first token')],
  [50, 'a slow reader slows the engine', leaving('a client that stops reading stops the engine')],
  [51, 'comments while nothing comes', ['api/sse.test.ts', 'before the first event opens the stream']],
  [
    52,
    'an error in mid-stream',
    face('puts an error inside a stream'),
    ['e2e/clients/agents.test.ts', 'what broke'],
  ],
  [53, 'a hundred streams', ['e2e/parallel.test.ts', 'a hundred streams on eight slots all finish']],
  [54, 'tool_choice required', openai('runs a conversation with a tool to its end')],
  [55, 'one tool by name', forced],
  [56, 'deltas of calls', forced],
  [57, 'results of tools', openai('runs a conversation with a tool'), requests("[user('What?'), orphan]")],
  [58, 'json_object', requests('response_format json_object: an object')],
  [59, 'json_schema', parsed, requests("pattern: '(?<=a)b'")],
  [60, 'parse() and what is cut', parsed],
  [61, 'completions of texts and batches', echoes],
  [62, 'echo with logprobs', echoes],
  [63, 'embeddings', openai('are the same numbers'), requests('an empty text to embed')],
  [
    64,
    'responses',
    openai('responds: whole, streamed by the helper'),
    ['api/sse.test.ts', 'names each event'],
  ],
  [65, '429 is waited for', face('answers 429 so that the SDK comes back'), face('with 429 and Retry-After')],
  [66, 'no funds: one request', leaving('is refused once with 402'), face('answers 402 once')],
  [67, 'x-request-id', contract('has an id of its own'), contract('takes no id from the client for its own')],
  [68, 'no spending beyond the funds', limits('spends no more than its channel holds')],
  [69, 'what was delivered is charged', leaving('pays for what was delivered')],
  [70, 'SIGTERM', ['e2e/signals.test.ts', 'one drain, a running stream is finished, exit 0']],
  [
    71,
    '404 and 405',
    contract('are no matter where there is nothing: 404'),
    contract('OPTIONS names POST, others'),
  ],
  [72, 'web pages with the headers of the SDK', ['api/cors.test.ts', 'may send what the SDK sends']],
  [73, 'no prompt in logs', ['e2e/canary.test.ts', 'are in no log line, even at the most talkative level']],
  [74, 'Idempotency-Key', ['e2e/idempotency.test.ts', 'joins the first while it runs']],
  [75, 'DeepL', ['e2e/clients/translators.ts', 'translates one text and many, in order']],
  [75, 'LibreTranslate', ['e2e/clients/translators.ts', 'keeps the order of many texts']],
  [76, 'ai streamText', ['e2e/clients/vercel-ai.ts', 'streams the same with its usage']],
  [77, 'LangChain usage_metadata', ['e2e/clients/langchain.ts', 'streams the same with its usage']],
  [78, 'compatcanary', ['e2e/clients/commands.ts', 'gives 100 of 100']],
]

const rows = BEHAVIOURS.map(([number, what, ...tests]) => ({ number, what, tests }))

it.each(rows)('$number: $what', ({ tests }) => {
  expect(tests.length).toBeGreaterThan(0)
  for (const [file, line] of tests) {
    const lines = readFileSync(join(ROOT, 'gateway', file), 'utf8').split('\n')
    const found = lines.filter((each) => each.includes(line))
    expect(found, `${file}: ${line}`).not.toEqual([])
  }
})

it('none of the 78 is missing', () => {
  const numbers = new Set(BEHAVIOURS.map(([number]) => number))
  expect([...numbers]).toEqual(Array.from({ length: 78 }, (_, index) => index + 1))
})
