/**
 * Times a cold start: from the command to the ready line, and to the first token of the first answer. A new data
 * folder each time, as a new user has it. `npm run bench:start [-- RUNS]`.
 */
import { cleanUp, startStack } from '../e2e/stack.ts'

interface Run {
  ready: number
  firstToken: number
}

async function coldStart(): Promise<Run> {
  const begun = performance.now()
  const stack = await startStack()
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
for (let run = 1; run <= runs; run++) {
  const result = await coldStart()
  results.push(result)
  console.log(`run ${run}: ready ${seconds(result.ready)}, first token ${seconds(result.firstToken)}`)
}
const best = Math.min(...results.map(({ firstToken }) => firstToken))
console.log(
  `best of ${runs}: first token after ${seconds(best)} (goal: 5 s; ratio ${(best / 5000).toFixed(2)})`,
)
await cleanUp()
