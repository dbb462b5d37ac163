/** What a person can do about a refusal, and which refusals no further attempt will change. */

import type { WorkerStatus } from './worker-process.ts'

/** A refusal, as far as a cure depends on it. */
type Refused = Pick<WorkerStatus, 'code' | 'by' | 'factors'>

/** By the codes of a worker. */
const OF_WORKER: Readonly<Record<string, string>> = {
  ERR_UNPAID: 'the gateway pays nothing; a --config file with "unpaid": true works for it all the same',
  ERR_GATEWAY_EVIDENCE: 'the gateway proves too little; see --gateway-policy and --gateway-root',
  ERR_GATEWAY_SIGNATURE:
    'somebody shows the evidence of a gateway without being it, or changes what it says on the way: see that the address is right and use wss:// or https://',
  ERR_GATEWAY_NAME:
    'the gateway signs with another name than it gives: tell its operator, and do not work for it',
  ERR_GATEWAY_TERMS: 'the gateway pays less than this worker asks; its prices are settings of --config',
  ERR_LINK_VERSION: 'install the release that the gateway runs',
}

const NO_NETWORK =
  'the gateway pays through a channel, and nothing says where to check it: name its TON network with --chain-url and --chain-token-file, which its operator has'
const OTHER_NETWORK =
  'what the gateway offers does not hold on the network at --chain-url; ask its operator for the right one'

/** By the codes of a gateway, apart from `evidence`. */
const OF_GATEWAY: Readonly<Record<string, string>> = {
  version_unsupported: 'install the release that the gateway runs',
  terms: 'lower the prices (settings of --config), or ask its operator what it wants and pays',
  signature: 'tell the maintainers: the gateway cannot check what this worker signs',
}

/** By the factors that a gateway found failed; the first that fits is the cause of the others. */
const OF_FACTORS: readonly (readonly [RegExp, string])[] = [
  [
    /^anchor\./,
    'the gateway trusts another root than that of this evidence: work in a TDX guest, or for a trial beside a simulated gateway name its folder with --tee-dir',
  ],
  [/^model\./, 'the gateway takes other models only; ask its operator for the files that it pins'],
  [
    /^(measurement|eventlog|software)\./,
    'the gateway pins other software than runs here; run the release and settings that its operator names',
  ],
  [
    /^(tcb|qe|seam|platform|pck|collateral|ca|crl|tcbinfo|qeidentity)\./,
    'this machine is out of date or not known good: update its firmware, microcode and TDX module',
  ],
  [
    /^td\./,
    'this TD was started in a way that the gateway does not take; ask whoever started it to change it',
  ],
  [/^gpu\./, 'the gateway does not take the GPU as it is; see: attest join --check --gpu cuda'],
  [/^(registry|role|epoch|evidence)\./, 'see that the clock is right and that this is the gateway you mean'],
]
const ASK = 'ask the operator of the gateway for its policy; attest policy FILE says it in words'

/** Advice about a refusal; undefined where trying again is all that can be done. */
export function cureOf({ by, code = '', factors = [] }: Refused, chainNamed: boolean): string | undefined {
  if (by === 'worker') {
    if (code === 'ERR_PAYMENT_TERMS') return chainNamed ? OTHER_NETWORK : NO_NETWORK
    return Object.hasOwn(OF_WORKER, code) ? OF_WORKER[code] : undefined
  }
  if (code !== 'evidence') return Object.hasOwn(OF_GATEWAY, code) ? OF_GATEWAY[code] : undefined
  return OF_FACTORS.find(([pattern]) => factors.some((name) => pattern.test(name)))?.[1] ?? ASK
}
