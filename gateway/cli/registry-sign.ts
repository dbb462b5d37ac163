/** `chrysalis registry keygen|sign`: what happens where an owner's key is; neither needs a network. */

import { z } from 'zod'
import { replaceFile } from '../../contracts/files.ts'
import {
  ContractsError,
  chainSettings,
  createOwnerKey,
  describeRequest,
  formatRequest,
  openChain,
  parseRequest,
  Registry,
  RegistryClient,
  rawPublicKey,
  readOwnerKey,
  requestHash,
  requireAskable,
  requireSigned,
  type SigningRequest,
  signRequest,
} from '../../contracts/index.ts'
import { keySetting, load, say } from './registry-settings.ts'
import { readSetting } from './sidecar-settings.ts'

/** `chrysalis registry keygen` */
export async function keygen(argv: string[]): Promise<void> {
  const summary =
    "Make an owner's key and print its public half, which goes into the file for registry deploy.\n" +
    'Keep a copy in another place: lost keys count towards nothing, and fewer than the threshold decide nothing.'
  const key = z.string().min(1).describe('file to make, of mode 0600; never replaced')
  const schema = z.strictObject({ key })
  const { config } = load({ verb: 'keygen', names: [], summary, schema }, argv)
  say(rawPublicKey(await createOwnerKey(config.key)).toString('hex'))
}

/** `chrysalis registry sign FILE` */
export async function sign(argv: string[]): Promise<void> {
  const summary =
    'Show what FILE asks, and sign it: first without --hash, which signs nothing; then with the hash of what you have read.\n' +
    'Works offline. With the settings of a chain it also looks whether the registry could take it now.'
  const hash = z.string().optional().describe('the hash that was shown: sign exactly this')
  const schema = z.strictObject({ key: keySetting, hash, ...chainSettings })
  const { words, config } = load({ verb: 'sign', names: ['FILE'], summary, schema }, argv)
  const [file = ''] = words
  const key = await readOwnerKey(config.key)
  const request = parseRequest(await readSetting('FILE', file))
  const made = requestHash(request).toString('hex')
  say(...describeRequest(request))
  const signed = signRequest(request, key)
  const compared = await compare(signed, config)
  say(
    compared
      ? 'chain      could take it now'
      : 'chain      was not asked: epoch, number and wait are as the file says',
  )
  if (config.hash === undefined)
    return say(`Nothing is signed yet. If this is what you want, say it again with --hash ${made}`)
  if (config.hash !== made) {
    throw new ContractsError(
      'ERR_REGISTRY_REQUEST',
      'hash: is not that of what the file asks now; read it again',
    )
  }
  await replaceFile(file, formatRequest(signed))
  say(`signed by ${rawPublicKey(key).toString('hex')}; signatures in ${file}: ${signed.signatures.size}`)
}

/** @returns false when no chain is named. Throws when the registry would refuse it, signatures that are to come aside */
async function compare(request: SigningRequest, config: Parameters<typeof openChain>[0]): Promise<boolean> {
  const chain = await openChain(config)
  if (!chain) return false
  const client = new RegistryClient({ chain, registry: new Registry(request.domain.registry) })
  client.requireHere(request)
  const state = await client.state()
  requireAskable(request, state, await chain.now())
  try {
    requireSigned(request, state)
  } catch (error) {
    const fewer = error instanceof ContractsError && error.code === 'ERR_REGISTRY_TOO_FEW_SIGNATURES'
    if (!fewer || request.asked.kind !== 'proposal') throw error
  }
  return true
}
