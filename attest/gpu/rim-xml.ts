/**
 * The XML around reference measurements: parsed so that there is one reading only, and its signature (W3C XML-DSig,
 * enveloped) checked by xmldsigjs.
 *
 * Signatures of XML fail by what surrounds them: parts that are not signed, a second signature, other transforms,
 * comments that split a text, entities that load files. So the document is refused unless it has the one shape that
 * NVIDIA's have: elements and attributes alone, no document type, comment, section or instruction; one signature, the
 * last child of the root; one reference, to the whole document; known algorithms. Then everything but the signature
 * itself is signed, and the caller reads values from the very tree that was verified.
 */

import type { Document, Element, Node } from '@xmldom/xmldom'
import { fromBase64, fromUtf8 } from '../bytes.ts'
import { ecdsaKey } from '../x509/index.ts'
import { GpuError } from './errors.ts'
import { excessOf } from './xml-bounds.ts'

/** The largest document that is looked at, in bytes (real ones: 20 KiB). */
export const MAX_RIM = 256 * 1024

const DSIG = 'http://www.w3.org/2000/09/xmldsig#'
const C14N11 = 'http://www.w3.org/2006/12/xml-c14n11'
const XMLNS = 'http://www.w3.org/2000/xmlns/'
const ELEMENT = 1
const TEXT = 3

/** The one shape of a signature; certificates, digest and signature value are text and not part of it. */
const SHAPE = new RegExp(
  `^${[
    `Signature(SignedInfo(CanonicalizationMethod[Algorithm=${C14N11}],`,
    'SignatureMethod[Algorithm=http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384],',
    `Reference[URI=](Transforms(Transform[Algorithm=${DSIG}enveloped-signature],Transform[Algorithm=${C14N11}]),`,
    'DigestMethod[Algorithm=http://www.w3.org/2001/04/xmldsig-more#sha384],DigestValue)),',
    'SignatureValue,KeyInfo(X509Data(',
  ]
    .join('')
    .replaceAll(/[.[\]()]/g, '\\$&')}X509Certificate(,X509Certificate){1,4}\\)\\)\\)$`,
)

/** A document of the right shape. Nothing in it is proven yet. */
export interface RimXml {
  root: Element
  /** Without the signature, in order. */
  children: readonly Element[]
  /** Certificates of the signature, DER, signer first. */
  certificates: readonly Uint8Array[]
  signature: Element
}

/** Parses a document and checks its shape. Throws GpuError ERR_GPU_RIM; never loads or expands anything. */
export async function parseRimXml(bytes: Uint8Array): Promise<RimXml> {
  const document = await parseXml(plainText(bytes))
  const root = document.documentElement
  if (root === null) throw rimError('no root element')
  checkNodes(root)
  const children = elementsOf(root)
  const signature = children.pop()
  const others = [...document.getElementsByTagNameNS('*', 'Signature')]
  if (signature === undefined || others.length !== 1 || others[0] !== signature) {
    throw rimError('not exactly one signature, as the last child of the root')
  }
  if (!SHAPE.test(shapeOf(signature))) throw rimError("a signature of another form than NVIDIA's")
  const certificates = [...signature.getElementsByTagNameNS(DSIG, 'X509Certificate')].map(readBase64)
  return { root, children, certificates, signature }
}

/**
 * Checks that the whole document is signed by this key. Throws GpuError ERR_GPU_RIM.
 *
 * @param publicKey uncompressed P-384 point, 97 bytes
 */
export async function checkXmlSignature(xml: RimXml, publicKey: Uint8Array): Promise<void> {
  const { SignedXml } = await library()
  let good = false
  try {
    const signed = new SignedXml(xml.root.ownerDocument as never)
    signed.LoadXml(xml.signature as never)
    // With an algorithm set, the library would export and import the key again, without its curve.
    delete signed.Algorithm
    good = await signed.Verify((await ecdsaKey('P-384', publicKey)) as never)
  } catch {
    // A digest that does not match is thrown, a bad signature returned; both mean the same.
  }
  if (!good) throw rimError('the signature does not verify: content changed, or another key')
}

/** Loaded when the first document is checked: most evidence carries none, and loading takes 0.2 s. */
let loading: ReturnType<typeof load> | undefined
function library(): ReturnType<typeof load> {
  loading ??= load()
  return loading
}

async function load() {
  const dsig = await import('xmldsigjs')
  // An object of our own: the library writes a name into the one that it is given.
  const engine = {
    subtle: crypto.subtle,
    getRandomValues: crypto.getRandomValues.bind(crypto),
    randomUUID: crypto.randomUUID.bind(crypto),
  }
  dsig.Application.setEngine('chrysalis', engine as never)
  /** Canonical XML 1.1 differs from 1.0 in attributes named xml:… alone, and those are refused above. */
  class C14n11 extends dsig.XmlDsigC14NTransform {
    constructor() {
      super()
      this.Algorithm = C14N11
    }
  }
  dsig.CryptoConfig.RegisterTransform(C14N11, C14n11 as never)
  return dsig
}

/** Text with nothing in it that parsers read in different ways. */
function plainText(bytes: Uint8Array): string {
  if (bytes.length > MAX_RIM) throw rimError(`more than ${MAX_RIM} bytes`)
  let text: string
  try {
    text = fromUtf8(bytes)
  } catch {
    throw rimError('not UTF-8')
  }
  const body = text.replace(/^<\?xml version="1\.0"(?: encoding="(?:utf-8|UTF-8)")?\?>\n?/, '')
  if (!body.startsWith('<')) throw rimError('does not begin with its root element')
  if (body.includes('<!')) throw rimError('document types, comments and sections are refused')
  if (body.includes('<?')) throw rimError('processing instructions are refused')
  if (/&(?!(?:amp|lt|gt|quot|apos);)/.test(body)) throw rimError('entities are refused')
  if (/[^\t\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]/.test(body))
    throw rimError('control characters are refused')
  const excess = excessOf(body)
  if (excess !== undefined) throw rimError(`${excess}; no manifest of NVIDIA needs that`)
  return body
}

async function parseXml(text: string): Promise<Document> {
  const { DOMParser } = await import('@xmldom/xmldom')
  const onError = (_level: string, message: string): never => {
    throw rimError(`not well-formed: ${message.slice(0, 80)}`)
  }
  try {
    return new DOMParser({ onError }).parseFromString(text, 'text/xml')
  } catch (error) {
    throw error instanceof GpuError ? error : rimError('not well-formed')
  }
}

/** Elements and text alone; text only inside the signature, whitespace elsewhere; nothing named xml:…. */
function checkNodes(root: Element): void {
  const pending: Node[] = [root]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.nodeType === TEXT) {
      const inside = (node.parentNode as Element | null)?.namespaceURI === DSIG
      if (!inside && (node.nodeValue ?? '').trim() !== '') throw rimError('text between the elements')
      continue
    }
    if (node.nodeType !== ELEMENT) throw rimError('a node that is neither element nor text')
    for (const { name } of [...(node as Element).attributes]) {
      // Names that only look like namespaces too: canonical forms have been known to leave them out.
      if (/xml/i.test(name) && !/^xmlns(?::(?!.*xml)|$)/i.test(name))
        throw rimError('attributes named xml:… are refused')
    }
    pending.push(...node.childNodes)
  }
}

/** A signature's elements and attributes, written out; texts only where they belong. */
function shapeOf(element: Element): string {
  if (element.namespaceURI !== DSIG) throw rimError('a foreign element in the signature')
  const attributes = [...element.attributes].filter(({ namespaceURI }) => namespaceURI !== XMLNS)
  const named = attributes.map(({ name, value }) => `${name}=${value}`).join(',')
  const children = elementsOf(element)
  const bare = [...element.childNodes].every(
    (node) => node.nodeType === ELEMENT || node.nodeValue?.trim() === '',
  )
  if (children.length > 0 && !bare) throw rimError('text between the elements of the signature')
  const inner = children.map(shapeOf).join(',')
  return `${element.localName}${named && `[${named}]`}${inner && `(${inner})`}`
}

/** The element children of an element. */
export function elementsOf(element: Element): Element[] {
  return [...element.childNodes].filter((node): node is Element => node.nodeType === ELEMENT)
}

function readBase64(element: Element): Uint8Array {
  try {
    return fromBase64((element.textContent ?? '').replaceAll(/[ \n]/g, ''))
  } catch {
    throw rimError('a certificate that is not base64')
  }
}

/** The error of everything that is wrong with a manifest. */
export function rimError(problem: string): GpuError {
  return new GpuError('ERR_GPU_RIM', `reference measurements: ${problem}`)
}
