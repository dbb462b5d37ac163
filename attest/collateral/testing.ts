/** A PCS or PCCS on loopback for tests: a real HTTP server that answers with the real bytes, or wrongly on purpose. */

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Collateral } from '../tdx/collateral.ts'

/** What a test may put in place of the answer to a path. */
export type Handler = (response: ServerResponse) => void

export interface PcsServer {
  url: string
  /** Path and query of every request so far. */
  requests: string[]
  /** Answers in place of the usual ones, by path without the query. */
  instead: Map<string, Handler>
  /** What is served; may be replaced. */
  collateral: Collateral
  close(): Promise<void>
}

export const PATHS = {
  pckCrl: '/sgx/certification/v4/pckcrl',
  tcb: '/tdx/certification/v4/tcb',
  identity: '/tdx/certification/v4/qe/identity',
  rootCrl: '/sgx/certification/v4/rootcacrl',
  /** Where the real root certificate says that its list is. */
  distribution: '/IntelSGXRootCA.der',
} as const

/** Starts a server for this collateral. Headers are in odd cases, as they come from proxies. */
export async function servePcs(collateral: Collateral): Promise<PcsServer> {
  const requests: string[] = []
  const instead = new Map<string, Handler>()
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    requests.push(request.url ?? '')
    const handler = instead.get(path) ?? usual(path, pcs.collateral)
    if (handler !== undefined) handler(response)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  const pcs: PcsServer = { url: `http://127.0.0.1:${port}`, requests, instead, collateral, close }
  return pcs
}

/** The answer of a PCCS to this path; the distribution point's stands beside it. */
export function usual(path: string, collateral: Collateral): Handler | undefined {
  const body = (name: string, text: string, signature: string): string =>
    `{"${name}":${text},"signature":"${signature}"}`
  const send =
    (content: string | Buffer, headers: Record<string, string> = {}): Handler =>
    (response) =>
      response.writeHead(200, headers).end(content)
  const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
  const chain = encodeURIComponent
  switch (path) {
    case PATHS.pckCrl:
      return send(bytes(collateral.pck_crl), {
        'sgx-pck-crl-issuer-chain': chain(collateral.pck_crl_issuer_chain),
      })
    case PATHS.tcb:
      return send(body('tcbInfo', collateral.tcb_info, collateral.tcb_info_signature), {
        'TCB-INFO-Issuer-Chain': chain(collateral.tcb_info_issuer_chain),
      })
    case PATHS.identity:
      return send(body('enclaveIdentity', collateral.qe_identity, collateral.qe_identity_signature), {
        'SGX-Enclave-Identity-ISSUER-chain': chain(collateral.qe_identity_issuer_chain),
      })
    case PATHS.rootCrl:
      return send(collateral.root_ca_crl)
    case PATHS.distribution:
      return send(bytes(collateral.root_ca_crl))
    default:
      return undefined
  }
}
