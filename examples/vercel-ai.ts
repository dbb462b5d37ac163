/** The Vercel AI SDK against Chrysalis: a provider by base URL and key, then as with any other. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, Output, streamText } from 'ai'
import { z } from 'zod'

const chrysalis = createOpenAICompatible({
  name: 'chrysalis',
  baseURL: process.env.CHRYSALIS_URL ?? 'http://127.0.0.1:8787/v1',
  apiKey: process.env.CHRYSALIS_API_KEY ?? '',
  includeUsage: true,
  // Schemas are held by a grammar: what comes back always parses.
  supportsStructuredOutputs: true,
})
const model = chrysalis(process.env.CHRYSALIS_MODEL ?? 'chrysalis/tiny')

const { textStream, usage } = streamText({ model, prompt: process.argv[2] ?? 'What is Chrysalis?' })
for await (const text of textStream) process.stdout.write(text)
console.log(`\n(${(await usage).totalTokens} tokens)`)

const trip = z.object({ city: z.enum(['Berlin', 'Paris', 'Rome']), days: z.number().int().min(1).max(7) })
const { output } = await generateText({
  model,
  prompt: 'Where shall we go?',
  output: Output.object({ schema: trip }),
})
console.log(output)
