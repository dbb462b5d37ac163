/**
 * The real worker process, whose engine plays scripts: `node gateway/bench/gateway/worker.ts [flags of worker/main.ts]`.
 * Link, enclave, seal, tasks, meter, receipts and earnings are those of every worker.
 */

import pino from 'pino'
import { onStop } from '../../../attest/cli/process.ts'
import { readSettings } from '../../../worker/config.ts'
import { EngineError } from '../../../worker/engine/errors.ts'
import { scriptedEngine } from '../../../worker/engine/testing/scripted.ts'
import type { Engine, EngineEvent, GenerateRequest } from '../../../worker/engine/types.ts'
import { runWorker } from '../../../worker/run.ts'
import { MODEL, play, readScript } from './script.ts'

const settings = readSettings({ argv: process.argv.slice(2), env: process.env })
const log = pino(
  { level: settings.logLevel, base: { role: 'worker' } },
  pino.destination({ fd: 2, sync: true }),
)

/** The scripted engine of the tests keeps every run for its test to see; this one forgets them. */
function benchEngine(): Engine {
  const base = scriptedEngine({ info: { id: MODEL, contextLength: 8192 }, sequences: settings.sequences })
  const { info, sequences, accelerator, closed } = base
  return {
    info,
    sequences,
    accelerator,
    closed,
    close: () => base.close(),
    generate,
    count: (prompt, stop) => base.count(prompt, stop),
    countInput: (input, stop) => base.countInput(input, stop),
    embed: (input, maxTokens, stop) => base.embed(input, maxTokens, stop),
  }
}

async function* generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
  const { prompt } = request
  if (prompt.kind !== 'chat') throw new EngineError('ERR_ENGINE_LOST', 'the bench asks for chats only')
  request.limit?.(100, 0)
  yield { type: 'prompt', promptTokens: 100, cachedTokens: 0 }
  let completionTokens = 0
  for await (const text of play(readScript(prompt.messages))) {
    if (signal.aborted) throw new EngineError('ERR_CANCELLED', 'the request was cancelled')
    completionTokens += 1
    yield { type: 'text', text, tokens: 1 }
  }
  yield { type: 'end', finishReason: 'stop', completionTokens }
}

const worker = await runWorker(settings, {
  log,
  onFatal: (error) => {
    log.error(error)
    process.exit(1)
  },
  startEngine: async () => benchEngine(),
})
process.stdout.write(`${JSON.stringify(await worker.ready)}\n`)
onStop(() => void worker.close(1000).finally(() => process.exit(0)))
