/** The official openai package against Chrysalis: only the base URL and the key differ. */
import OpenAI from 'openai'

const client = new OpenAI({
  baseURL: process.env.CHRYSALIS_URL ?? 'http://127.0.0.1:8787/v1',
  apiKey: process.env.CHRYSALIS_API_KEY,
})

const [model] = (await client.models.list()).data
if (!model) throw new Error('no worker serves a model yet')

const text = process.argv[2] ?? 'Good morning!'
const answer = await client.chat.completions.create({
  model: model.id,
  messages: [{ role: 'user', content: `Translate to Spanish: ${text}` }],
  temperature: 0,
})
console.log(`${model.id}: ${answer.choices[0]?.message.content}`)

const stream = await client.chat.completions.create({
  model: model.id,
  messages: [{ role: 'user', content: 'What is Chrysalis?' }],
  stream: true,
  stream_options: { include_usage: true },
})
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '')
  if (chunk.usage) console.log(`\n(${chunk.usage.total_tokens} tokens)`)
}
