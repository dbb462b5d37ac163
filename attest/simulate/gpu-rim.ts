/**
 * Reference measurements (RIM) in the form of NVIDIA's: SWID tags with an enveloped XML signature. The text is written
 * in canonical form (C14N 1.1) from the start, so that what is signed is what stands there, and a library that
 * verifies it proves its own canonical form against this one.
 */

import type { KeyObject } from 'node:crypto'
import { toBase64, toHex, utf8 } from '../bytes.ts'
import { digest } from './digest.ts'
import { type GpuCa, lasting, makeGpuCa, makeGpuCertificate, newGpuKey, signRaw } from './gpu-certificates.ts'

/** A signer of manifests: its chain, signer first, root last (DER), and the key of each. */
export interface RimSigner {
  chain: readonly Uint8Array[]
  keys: readonly KeyObject[]
}

const ROOT_NAME = 'Simulated NVIDIA CoRIM signing Root CA'

/** Makes the root of RIM signers. */
export function makeRimRoot(now: number): GpuCa {
  return makeGpuCa({ commonName: ROOT_NAME }, now)
}

/** Makes a signer for one chip, such as `GH100`, under two intermediate CAs. */
export function makeRimSigner(root: GpuCa, chip: string, now: number): RimSigner {
  const names = [
    ROOT_NAME,
    `Simulated NVIDIA Reference Value ${chip} CA`,
    `Simulated NVIDIA Reference Value L3 ${chip} 001`,
    'Simulated HCC RIM L4 Signer',
  ]
  const chain = [root.certificate]
  const keys = [root.key]
  for (const [i, commonName] of names.slice(1).entries()) {
    const subjectKey = newGpuKey()
    const certificate = makeGpuCertificate({
      subject: { commonName },
      issuer: { commonName: names[i] ?? '' },
      subjectKey,
      issuerKey: keys[0] ?? root.key,
      ...lasting(now),
      ca: i < 2,
    })
    chain.unshift(certificate)
    keys.unshift(subjectKey)
  }
  return { chain, keys }
}

interface RimSpec {
  /** `GH100` */
  chip: string
  /** Of the driver, the VBIOS or the BIOS. */
  version: string
  /** Allowed values (48 bytes each) by index, from 0. */
  values: ReadonlyMap<number, readonly Uint8Array[]>
}

const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd'
const SHA384 = 'http://www.w3.org/2001/04/xmlenc#sha384'
const RIM_MODEL =
  'https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/'
const DSIG = 'http://www.w3.org/2000/09/xmldsig#'
const MORE = 'http://www.w3.org/2001/04/xmldsig-more#'
const C14N11 = 'http://www.w3.org/2006/12/xml-c14n11'
const CLOSE = '</SoftwareIdentity>'

/** Makes one signed manifest, UTF-8. */
export function makeRim(spec: RimSpec, signer: RimSigner): Uint8Array<ArrayBuffer> {
  const [key] = signer.keys
  if (key === undefined) throw new RangeError('a signer has a key')
  const content = contentOf(spec)
  // As a part of the document, SignedInfo is signed with the namespaces that are in force around it.
  const inForce = `xmlns="${SWID}" xmlns:ds="${DSIG}" xmlns:ns0="${SWID}" xmlns:ns2="${SHA384}"`
  const info = signedInfo(toBase64(digest('sha384', `${content}${CLOSE}`)))
  const value = signRaw(utf8(info.replace('<ds:SignedInfo>', `<ds:SignedInfo ${inForce}>`)), key)
  const certificates = signer.chain.map(
    (bytes) => `<ds:X509Certificate>${toBase64(bytes)}</ds:X509Certificate>`,
  )
  const keyInfo = `<ds:KeyInfo><ds:X509Data>${certificates.join('')}</ds:X509Data></ds:KeyInfo>`
  const signature = `<ds:SignatureValue>${toBase64(value)}</ds:SignatureValue>`
  return utf8(
    `${content}<ds:Signature xmlns:ds="${DSIG}">${info}${signature}${keyInfo}</ds:Signature>${CLOSE}`,
  )
}

function signedInfo(hash: string): string {
  const method = (name: string, algorithm: string): string =>
    `<ds:${name} Algorithm="${algorithm}"></ds:${name}>`
  const transforms = method('Transform', `${DSIG}enveloped-signature`) + method('Transform', C14N11)
  return [
    '<ds:SignedInfo>',
    method('CanonicalizationMethod', C14N11),
    method('SignatureMethod', `${MORE}ecdsa-sha384`),
    `<ds:Reference URI=""><ds:Transforms>${transforms}</ds:Transforms>`,
    method('DigestMethod', `${MORE}sha384`),
    `<ds:DigestValue>${hash}</ds:DigestValue></ds:Reference></ds:SignedInfo>`,
  ].join('')
}

/** All but the closing tag; attributes in canonical order, elements never closed short. */
function contentOf({ chip, version, values }: RimSpec): string {
  const id = toHex(digest('sha384', `simulated RIM ${chip} ${version}`))
  const resources = [...values].map(([index, allowed]) => resourceOf(index, allowed))
  return [
    `<SoftwareIdentity xmlns="${SWID}" xmlns:ns0="${SWID}" xmlns:ns2="${SHA384}" corpus="false" name="${chip}"`,
    ` patch="false" supplemental="false" tagId="${id}" tagVersion="0" version="1.0">`,
    '<ns0:Entity name="Chrysalis simulation" role="softwareCreator tagCreator"></ns0:Entity>',
    `<ns0:Meta xmlns:ns1="${RIM_MODEL}" PayloadType="direct" colloquialVersion="${version}" edition="GPU"`,
    ` product="${chip}" revision="r1" ns1:BindingSpec="RIMIM" ns1:BindingSpecVersion="1.01"></ns0:Meta>`,
    `<ns0:Payload>${resources.join('')}</ns0:Payload>`,
  ].join('')
}

function resourceOf(index: number, allowed: readonly Uint8Array[]): string {
  const hashes = allowed.map((value, i) => `ns2:Hash${i}="${toHex(value)}"`).join(' ')
  const plain = `active="True" alternatives="${allowed.length}" index="${index}" name="Measurement_${index}"`
  return `<ns0:Resource ${plain} size="48" type="Measurement" ${hashes}></ns0:Resource>`
}
