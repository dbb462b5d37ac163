import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import tls from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { makeCertificate } from '../../attest/simulate/certificates.ts'
import { newKey } from '../../attest/simulate/platform.ts'
import { encodePem } from '../../attest/x509/index.ts'
import type { LinkOptions } from '../link/index.ts'
import { Harness } from '../testing/harness.ts'

const known = tls.getCACertificates('default')
const DAY = 86_400_000
const closers: (() => void)[] = []
afterEach(() => {
  tls.setDefaultCACertificates(known)
  for (const close of closers.splice(0)) close()
})

/** A certificate authority of this test and a certificate by it for localhost. */
function certificates() {
  const [issuerKey, subjectKey] = [newKey(), newKey()]
  const dates = { notBefore: Date.now() - DAY, notAfter: Date.now() + DAY }
  const common = { ...dates, issuer: 'Test CA', issuerKey }
  const ca = makeCertificate({ ...common, subject: 'Test CA', subjectKey: issuerKey, caPathLength: 0 })
  const leaf = makeCertificate({ ...common, subject: 'localhost', subjectKey })
  const key = subjectKey.export({ type: 'pkcs8', format: 'pem' })
  return { ca: encodePem([ca]), cert: encodePem([leaf]), key }
}

/** A worker whose gateway is behind a TLS server, which it dials under this name. */
async function behindTls(name: string, { trusted }: { trusted: boolean }) {
  const { ca, cert, key } = certificates()
  if (trusted) tls.setDefaultCACertificates([...known, ca])
  const lost = Promise.withResolvers<string>()
  const link: Partial<LinkOptions> = { onLost: lost.resolve }
  let target = 0
  const server = tls.createServer({ cert, key }, (socket) => {
    const inner = connect(target, '127.0.0.1')
    for (const end of [socket, inner]) end.on('error', () => {})
    socket.pipe(inner).pipe(socket)
  })
  server.on('tlsClientError', () => {})
  server.listen(0)
  await once(server, 'listening')
  closers.push(() => server.close())
  link.url = `wss://${name}:${(server.address() as AddressInfo).port}/link`
  const harness = await Harness.open({ link })
  target = Number(new URL(harness.gateway.url).port)
  return { harness, lost: lost.promise }
}

test('a link goes through a TLS server in front of the gateway, if its certificate holds', async () => {
  const { harness } = await behindTls('localhost', { trusted: true })
  await using _ = harness
  const peer = await harness.joined()
  expect(peer.claims?.bootId).toBe(harness.worker.bootId)
})

test.each([
  ['of an unknown authority', 'localhost', false],
  ['for another name', '127.0.0.1', true],
])('a certificate %s ends the attempt', async (_, name, trusted) => {
  const { harness, lost } = await behindTls(name, { trusted })
  await using __ = harness
  harness.link.start()
  expect(await lost).toBe('socket_error')
  expect(harness.link.joined).toBe(false)
})
