/** LangChain against Chrysalis: a chat, a tool whose call is forced, and embeddings. */
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { z } from 'zod'

const common = {
  model: process.env.CHRYSALIS_MODEL ?? 'chrysalis/tiny',
  apiKey: process.env.CHRYSALIS_API_KEY ?? '',
  configuration: { baseURL: process.env.CHRYSALIS_URL ?? 'http://127.0.0.1:8787/v1' },
}
const chat = new ChatOpenAI({ ...common, temperature: 0 })

const answer = await chat.invoke(process.argv[2] ?? 'What is Chrysalis?')
console.log(answer.text, answer.usage_metadata)

const forecast = tool(({ city, days }) => `${days} sunny days in ${city}`, {
  name: 'forecast',
  description: 'Tells the weather',
  schema: z.object({ city: z.enum(['Berlin', 'Paris', 'Rome']), days: z.number().int().min(1).max(7) }),
})
const { tool_calls: calls = [] } = await chat
  .bindTools([forecast], { tool_choice: 'forecast' })
  .invoke('How will the weather be?')
for (const call of calls) console.log((await forecast.invoke(call)).content)

const [vector = []] = await new OpenAIEmbeddings(common).embedDocuments(['Good morning!'])
console.log(`a vector of ${vector.length} numbers`)
