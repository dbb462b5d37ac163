/**
 * Times a cold start: from the command to the ready line, and to the first token of the first answer. A new data
 * folder each time, as a new user has it. The first run also has an empty cache of compiled code, which later starts of
 * the same checkout keep. `npm run bench:start [-- RUNS]`.
 */
import { cleanUp, startStack, temporaryFolder } from '../e2e/stack.ts'

interface Run {
  ready: number
  firstToken: number
}

async function coldStart(codeCache: string): Promise<Run> {
  const begun = performance.now()
  const stack = await startStack({ env: { NODE_COMPILE_CACHE: codeCache } })
  const ready = performance.now() - begun
  const stream = await stack.sdk.chat.completions.create({
    model: stack.ready.models[0] ?? '',
    messages: [{ role: 'user', content: 'Hello' }],
    stream: true,
  })
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
  const firstToken = performance.now() - begun
  await stack.stop()
  return { ready, firstToken }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`
const runs = Number(process.argv[2] ?? 3)
const results: Run[] = []
const codeCache = await temporaryFolder()
for (let run = 1; run <= runs; run++) {
  const result = await coldStart(codeCache)
  results.push(result)
  console.log(`run ${run}: ready ${seconds(result.ready)}, first token ${seconds(result.firstToken)}`)
}
const first = results[0]?.firstToken ?? 0
const best = Math.min(...results.map(({ firstToken }) => firstToken))
const ratio = (ms: number) => `${seconds(ms)} (${(ms / 5000).toFixed(2)} of the goal of 5 s)`
console.log(`first start: first token after ${ratio(first)}; best of ${runs}: ${ratio(best)}`)
await cleanUp()
