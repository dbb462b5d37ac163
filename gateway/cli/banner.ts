import type { UpReady } from './up.ts'

/** What a person sees when everything serves: what is simulated, and commands to paste. */
export function banner({ url, apiKey, models, channel }: UpReady, dataDir: string, gpu: string): string {
  const model = models[0] ?? ''
  return `
Chrysalis is ready at ${url}

  SIMULATED on this machine: the TDX enclave (its root key is a file here) and the TON network
  (a chain of its own, global id -217, play money). Real: the engine and model, every signature and
  certificate check, the sealing of each request, the metering, the payment channel contract.
  The voucher key of your channel is a 0600 file here, so this gateway could spend the whole deposit.
${gpu === 'off' ? '' : '  GPU use is not attested: the enclave is simulated.\n'}
  API key   ${apiKey}
  models    ${models.join(', ')}
  channel   ${channel}
  data      ${dataDir}

Try it:

  curl ${url}/chat/completions -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' \\
    -d '{"model": "${model}", "messages": [{"role": "user", "content": "What is Chrysalis?"}], "temperature": 0}'

or with the openai package (npm i openai):

  import OpenAI from 'openai'
  const client = new OpenAI({ baseURL: '${url}', apiKey: '${apiKey}' })
  const answer = await client.chat.completions.create({
    model: '${model}',
    messages: [{ role: 'user', content: 'Translate to German: Good morning' }],
    temperature: 0,
  })
  console.log(answer.choices[0].message.content)

Ctrl-C stops everything after the running requests are done.
`
}
