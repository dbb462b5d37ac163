import { expect, it } from 'vitest'
import { serveFace } from './testing/face.ts'

it('says 503 while too many keys are being looked up', async () => {
  const find = () => Promise.reject(Object.assign(new Error('busy'), { code: 'ERR_LEDGER_BUSY' }))
  const face = await serveFace(() => Promise.reject(new Error('not asked')), { keys: { find } })
  const answer = await fetch(`${face.url}/v1/models`, { headers: { authorization: 'Bearer sk-chry-x' } })
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  await face.close()
})
