import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ContractsError } from '../../contracts/errors.ts'
import { type ControlAccess, callControl, serveControl } from './index.ts'

let control: Awaited<ReturnType<typeof serveControl>>
let calls: unknown[]

beforeEach(async () => {
  calls = []
  control = await serveControl({
    echo: async (input) => {
      calls.push(input)
      return { input, amount: 12345678901234567890n }
    },
    refuse: async () => {
      throw new ContractsError('ERR_WALLET_UNFUNDED', 'the wallet holds 0 nanotons')
    },
    fail: async () => {
      throw new Error('CANARY of a library')
    },
  })
})
afterEach(() => control.close())

interface Call {
  verb?: string
  method?: string
  headers?: Record<string, string>
  body?: string
}

/** A call by hand: fetch would not let us choose Host and Origin. */
function call({ verb = 'echo', method = 'POST', headers = {}, body = '{}' }: Call) {
  return new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const sent = request(`${control.url}/control/${verb}`, {
      method,
      headers: { authorization: `Bearer ${control.token}`, 'content-type': 'application/json', ...headers },
    })
    sent.on('error', reject)
    sent.on('response', async (response) => {
      let text = ''
      for await (const part of response) text += part
      resolve({ status: response.statusCode, text })
    })
    sent.end(method === 'GET' ? undefined : body)
  })
}

describe('the control plane', () => {
  it('answers a call with its token, and writes big numbers as decimal text', async () => {
    const answer = await callControl(control, 'echo', { channel: 'x' })
    expect(answer).toEqual({ input: { channel: 'x' }, amount: '12345678901234567890' })
  })

  it.each([
    ['no token', { headers: { authorization: '' } }, 401, 'ERR_UNAUTHORIZED'],
    ['a wrong token', { headers: { authorization: 'Bearer wrong' } }, 401, 'ERR_UNAUTHORIZED'],
    ['the page of another site', { headers: { origin: 'http://evil.example' } }, 403, 'ERR_FORBIDDEN'],
    ['its own origin', { headers: { origin: 'http://127.0.0.1' } }, 403, 'ERR_FORBIDDEN'],
    ['a name that was rebound to here', { headers: { host: 'evil.example' } }, 403, 'ERR_FORBIDDEN'],
    ['GET', { method: 'GET' }, 404, 'ERR_NOT_FOUND'],
    ['an unknown verb', { verb: 'shred' }, 404, 'ERR_NOT_FOUND'],
    ['a body that is not JSON', { body: '{CANARY' }, 400, 'ERR_CONTROL_INPUT'],
    ['a body that is not an object', { body: '["CANARY"]' }, 400, 'ERR_CONTROL_INPUT'],
    ['an empty body', { body: '' }, 400, 'ERR_CONTROL_INPUT'],
  ])('refuses %s', async (_, wrong, status, code) => {
    const answer = await call(wrong)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.text).error.code).toBe(code)
    expect(answer.text).not.toContain('CANARY')
    expect(calls).toEqual([])
  })

  it('tells a refusal of contracts as it is, and of a defect nothing but that it is one', async () => {
    const refused = callControl(control, 'refuse')
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_WALLET_UNFUNDED',
      message: 'the wallet holds 0 nanotons',
    })
    const { status, text } = await call({ verb: 'fail' })
    expect(status).toBe(500)
    expect(JSON.parse(text).error.code).toBe('ERR_UNEXPECTED')
    expect(text).not.toContain('CANARY')
  })

  it('has a token of its own in every run, and a clear error when nobody answers', async () => {
    const other = await serveControl({})
    expect(other.token).not.toBe(control.token)
    await other.close()
    const access: ControlAccess = { url: other.url, token: other.token }
    await expect(callControl(access, 'echo')).rejects.toMatchObject({ code: 'ERR_NOT_RUNNING' })
  })
})
