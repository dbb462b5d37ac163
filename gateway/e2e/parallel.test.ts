import { expect, it } from 'vitest'
import { Gate } from '../../worker/engine/testing/scripted.ts'
import { InProcess, PRICE } from './inprocess.ts'
import { until } from './turns.ts'

const STREAMS = 100
const QUESTION = 'Go on'
const ANSWER = ['One ', 'two ', 'three.']

it('a hundred streams on eight slots all finish, in order, and are charged once each', async () => {
  await using net = await InProcess.open({ engine: { sequences: 8, script: () => ANSWER } })
  const second = (await net.ledger.keys.create({ name: 'second', channel: 'client' })).secret
  const body = { messages: [{ role: 'user', content: QUESTION }], stream: true }
  const texts = await Promise.all(
    Array.from({ length: STREAMS }, async (_, n) => {
      const key = n % 2 === 0 ? net.apiKey : second
      return await (await net.post('/v1/chat/completions', body, key)).text()
    }),
  )
  for (const text of texts) {
    const events = text.split('\n\n').filter((event) => event.startsWith('data: {'))
    const said = events.map((event) => JSON.parse(event.slice(6)).choices[0]?.delta.content ?? '').join('')
    expect(said).toBe(ANSWER.join(''))
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  }
  const each = BigInt(QUESTION.length) * PRICE.prompt + BigInt(ANSWER.length) * PRICE.completion
  expect(await net.ledger.channelState('client')).toMatchObject({
    charged: BigInt(STREAMS) * each,
    reserved: 0n,
  })
})

it('a key with one request waits for one turn of a key with many', async () => {
  const gates: Gate[] = []
  const script = () => {
    const gate = new Gate()
    gates.push(gate)
    return ['Hello', gate]
  }
  await using net = await InProcess.open({ engine: { sequences: 1, script } })
  const other = (await net.ledger.keys.create({ name: 'other', channel: 'client' })).secret
  const body = (content: string) => ({ messages: [{ role: 'user', content }] })
  const asked = (count: number) => until(() => net.dispatcher.stats().queued === count)
  const many: Promise<Response>[] = []
  for (let n = 0; n < 5; n++) {
    many.push(net.post('/v1/chat/completions', body('many')))
    if (n === 0) await until(() => gates.length === 1)
    else await asked(n)
  }
  const one = net.post('/v1/chat/completions', body('one'), other)
  await asked(5)
  for (let n = 0; n < 6; n++) {
    await until(() => gates.length === n + 1)
    gates[n]?.open()
  }
  await Promise.all([...many, one])
  const order = net.engine.runs.map(({ request }) =>
    request.prompt.kind === 'chat' ? request.prompt.messages[0]?.content : '',
  )
  // The first ran already; the second of the many had its turn coming when the one arrived.
  expect(order).toEqual(['many', 'many', 'one', 'many', 'many', 'many'])
})
