/** What owners decide, in words for whoever is to sign it. */

import { formatTon } from '../amount.ts'
import { stepToJson } from './json.ts'
import { requestHash, type SigningRequest } from './request.ts'
import { packSoftware } from './software.ts'
import type { Step } from './steps.ts'

/**
 * Whether a step gives trust, and so has to wait: anything that is not a mere narrowing.
 * @param minSoftware that holds now: a lower one widens
 */
export function widens(step: Step, minSoftware: string): boolean {
  switch (step.kind) {
    case 'put':
    case 'unrevoke':
    case 'owners':
      return true
    case 'policy':
      return packSoftware(step.minSoftware) < packSoftware(minSoftware)
    case 'remove':
    case 'renew':
    case 'drop':
      return false
  }
}

/** Text that somebody chose, in quotes and with everything spelled out that a terminal would obey or hide. */
export function quoted(text: string): string {
  const spelled = text.replace(
    /[\p{C}\p{Zl}\p{Zp}"\\]|(?! )\p{Zs}/gu,
    (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`,
  )
  return `"${spelled}"`
}

/** Unix seconds as people read them. */
export function moment(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().replace('.000Z', 'Z')
}

/** `1 d 2 h`; nothing is rounded away. */
export function span(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor((seconds % 86_400) / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'min'],
    [seconds % 60, 's'],
  ] as const
  const present = parts.filter(([count]) => count > 0)
  return present.length === 0 ? '0 s' : present.map(([count, unit]) => `${count} ${unit}`).join(' ')
}

/** A step in words; several lines where it says more than fits one. */
export function describeStep(step: Step): string[] {
  const json = stepToJson(step)
  switch (json.do) {
    case 'put-measurement': {
      const { roles, mrTd, rtmr, mrConfigId, mrOwner, mrOwnerConfig } = json
      const registers = {
        MRTD: mrTd,
        ...Object.fromEntries(rtmr.map((value, index) => [`RTMR${index}`, value])),
      }
      // As policies have it: what the owner of a TD sets is zero unless it is named.
      const rest = {
        MRCONFIGID: mrConfigId ?? 'zero',
        MROWNER: mrOwner ?? 'zero',
        MROWNERCONFIG: mrOwnerConfig ?? 'zero',
      }
      const key = step.kind === 'put' ? step.entry.key : ''
      return [
        `trust TDs with these registers as ${roles.join(' and ')}; key ${key}`,
        ...Object.entries({ ...registers, ...rest }).map(
          ([name, value]) => `  ${name.padEnd(13)} ${value ?? 'any'}`,
        ),
      ]
    }
    case 'put-model':
      return [
        `trust the model ${quoted(json.id)}, whose file has the SHA-256 ${json.sha256}, at these prices for a million tokens`,
        ...Object.entries(json.prices).map(
          ([kind, price]) => `  ${kind.padEnd(13)} ${formatTon(BigInt(price))} TON`,
        ),
      ]
    case 'put-gateway':
      return [`trust the gateway ${quoted(json.endpoint)}, whose wallet is ${json.wallet}`]
    case 'remove':
      return [`remove ${json.key} from the ${json.table}`]
    case 'unrevoke':
      return [`take back the revocation of ${json.key}`]
    case 'policy':
      return [`policy version ${json.policyVersion}; software from ${json.minSoftware} on`]
    case 'owners':
      return [
        `new owners, ${json.threshold} of ${json.owners.length} decide, widening changes wait ${span(json.delaySeconds)}`,
        ...json.owners.map((owner) => `  ${owner}`),
      ]
    case 'renew':
      return [`the snapshot is good until ${moment(step.kind === 'renew' ? step.expiresAt : 0)}`]
    case 'drop':
      return [`drop proposal ${json.number}, which waits`]
  }
}

/** All that an owner has to know of a request before signing it. Made from what is signed, but for what says otherwise. */
export function describeRequest(request: SigningRequest): string[] {
  const { domain, asked, asOf, signatures } = request
  const { globalId, registry, epoch } = domain
  const testOnly = globalId !== -239
  const network = ({ '-239': 'mainnet', '-3': 'testnet', '-217': 'a local chain' } as Record<string, string>)[
    globalId
  ]
  return [
    `registry   ${registry.toString({ testOnly })}`,
    `network    ${network ?? 'a private one'} (${globalId}), owners of epoch ${epoch}`,
    ...(asked.kind === 'proposal' ? describeProposal(asked, asOf) : describeAct(asked)),
    ...(signatures.size === 0
      ? ['signed by  nobody yet']
      : [...signatures.keys()].map((key) => `signed by  ${key}`)),
    `hash       ${requestHash(request).toString('hex')}`,
  ]
}

function describeProposal(
  { number, validUntil, steps }: Extract<SigningRequest['asked'], { kind: 'proposal' }>,
  { version, threshold, delaySeconds, minSoftware }: SigningRequest['asOf'],
): string[] {
  const waits = steps.some((step) => widens(step, minSoftware))
  const lines = steps.flatMap((step, index) =>
    describeStep(step).map((line, at) => (at === 0 ? `  ${index + 1}. ${line}` : `     ${line}`)),
  )
  return [
    `proposal   ${number}, to be submitted until ${moment(validUntil)}`,
    ...lines,
    waits
      ? `effect     loosens: it waits ${span(delaySeconds)} in public once submitted; then anyone can carry it out`
      : 'effect     narrows, or keeps as it is: done as soon as it is submitted',
    `needs      ${threshold} signatures (this and the wait as the file's maker read them at version ${version}; the chain decides)`,
  ]
}

function describeAct(asked: Exclude<SigningRequest['asked'], { kind: 'proposal' }>): string[] {
  const by = `by owner ${asked.owner} alone (${asked.acts} acts before)`
  if (asked.kind === 'cancel') return [`cancel     proposal ${asked.number}, which waits; ${by}`]
  return [
    `revoke     ${asked.key}`,
    `           at once, ${by}; whatever has this key: a set of measurements, a model, a gateway or a platform`,
  ]
}
