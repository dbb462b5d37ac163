import { describe, expect, it } from 'vitest'
import type { Fetch } from '../body.ts'
import { toBase64, utf8 } from '../bytes.ts'
import { httpRimService, NVIDIA_RIM_URL } from './rim-service.ts'

const XML = utf8('<a/>')
const unreachable = expect.objectContaining({ code: 'ERR_RIM_UNREACHABLE' })
const answer = (body: string, status = 200): Fetch => {
  return async () => new Response(body, { status })
}
const ask = (fetch: Fetch, id = 'NV_GPU_DRIVER_GH100_580.65.06') => httpRimService(fetch).rim(id)

describe('the service of reference manifests', () => {
  it('is asked by name, without redirects, and gives XML', async () => {
    const fetch: Fetch = async (url, init) => {
      expect(url).toBe(`${NVIDIA_RIM_URL}/NV_GPU_DRIVER_GH100_580.65.06`)
      expect(init.redirect).toBe('error')
      const body = { id: 'NV_GPU_DRIVER_GH100_580.65.06', rim: toBase64(XML), sha256: '', request_id: 'x' }
      return answer(JSON.stringify(body))(url, init)
    }
    expect(await ask(fetch)).toEqual(XML)
    expect(await ask(answer(JSON.stringify({ rim: toBase64(XML) })))).toEqual(XML)
  })

  it.each([
    ['a status', answer('{}', 404)],
    ['no JSON', answer('<a/>')],
    ['no manifest', answer('{}')],
    ['no base64', answer('{"rim":"?"}')],
    ['another manifest', answer(JSON.stringify({ id: 'NV_GPU_DRIVER_GH100_1', rim: '' }))],
    ['far too much', answer(`{"rim":"${'AAAA'.repeat(200_000)}"}`)],
    ['nothing', () => Promise.reject(new TypeError('fetch failed'))],
  ])('gives nothing: %s', async (_name, fetch) => {
    await expect(ask(fetch)).rejects.toThrow(unreachable)
  })

  it('is never asked for a name that a report made up', async () => {
    const never: Fetch = () => {
      throw new Error('asked')
    }
    for (const id of ['', '../x', 'a b', 'a?b', 'a/b', 'é'])
      await expect(ask(never, id)).rejects.toThrow(unreachable)
  })
})
