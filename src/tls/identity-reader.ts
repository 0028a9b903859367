import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { DerReader, MalformedCertificate, tags } from './der.ts';
import { formatRfc2253, stringTags } from './distinguished-name.ts';
import type {
  Attribute,
  DistinguishedName,
  Identity,
  RelativeDistinguishedName,
  SubjectAltNames,
} from './identity.ts';
import { formatIpAddress } from './ip-address.ts';

/** Octets of a certificate. OpenSSL's own bound for the whole chain of a client is 100 KiB. */
const maximumSize = 64 * 1024;

/** Octets of a serial number: RFC 5280 §4.1.2.2 says 20, some CAs have written more. */
const maximumSerialLength = 64;

/** Attributes in one name, and alternative names in one certificate: what a policy may have to walk through. */
const maximumAttributes = 128;
const maximumAltNames = 1000;

const subjectAltName = Buffer.from([0x55, 0x1d, 0x11]);

const keyAlgorithms: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.1': 'rsaEncryption',
  '1.2.840.113549.1.1.10': 'rsassaPss',
  '1.2.840.10040.4.1': 'dsaEncryption',
  '1.2.840.10045.2.1': 'id-ecPublicKey',
  '1.3.101.112': 'ed25519',
  '1.3.101.113': 'ed448',
  '2.16.840.1.101.3.4.3.17': 'ml-dsa-44',
  '2.16.840.1.101.3.4.3.18': 'ml-dsa-65',
  '2.16.840.1.101.3.4.3.19': 'ml-dsa-87',
};

const signatureAlgorithms: Readonly<Record<string, string>> = {
  ...keyAlgorithms,
  '1.2.840.113549.1.1.4': 'md5WithRSAEncryption',
  '1.2.840.113549.1.1.5': 'sha1WithRSAEncryption',
  '1.2.840.113549.1.1.11': 'sha256WithRSAEncryption',
  '1.2.840.113549.1.1.12': 'sha384WithRSAEncryption',
  '1.2.840.113549.1.1.13': 'sha512WithRSAEncryption',
  '1.2.840.10045.4.1': 'ecdsa-with-SHA1',
  '1.2.840.10045.4.3.2': 'ecdsa-with-SHA256',
  '1.2.840.10045.4.3.3': 'ecdsa-with-SHA384',
  '1.2.840.10045.4.3.4': 'ecdsa-with-SHA512',
};

/** Fatal: OpenSSL refuses such names too. A byte order mark is a character like any other. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isAscii(octets: Buffer): boolean {
  for (let i = 0; i < octets.length; i++) if (octets[i]! >= 0x80) return false;
  return true;
}

function decodeUtf8(octets: Buffer): string {
  if (isAscii(octets)) return octets.toString('latin1');
  try {
    return utf8.decode(octets);
  } catch {
    throw new MalformedCertificate('a name holds bytes that are not UTF-8');
  }
}

/** BMPString and UniversalString: big-endian code points of two or four octets, surrogates not among them. */
function decodeWide(octets: Buffer, width: 2 | 4): string {
  if (octets.length % width !== 0) throw new MalformedCertificate('a name is cut within a character');
  let text = '';
  for (let i = 0; i < octets.length; i += width) {
    const point = width === 2 ? octets.readUInt16BE(i) : octets.readUInt32BE(i);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      throw new MalformedCertificate('a name holds a code point that is no character');
    }
    text += String.fromCodePoint(point);
  }
  return text;
}

/**
 * X.520 knows values that are no text: x500UniqueIdentifier is a BIT STRING, postalAddress a SEQUENCE.
 * OpenSSL shows their DER; any other type it does not take either, or no attribute has it.
 */
function decodeDump(reader: DerReader): string {
  if (reader.tag === tags.bitString) {
    const octets = reader.content();
    const unused = octets[0] ?? 8;
    // Bits past the end must be zero (X.690 §11.2.1): OpenSSL would print them so, whatever they are.
    const ragged = unused > 0 && (octets.length < 2 || (octets.at(-1)! & ((1 << unused) - 1)) !== 0);
    if (unused > 7 || ragged) throw new MalformedCertificate('a name holds a bit string that is not DER');
  } else if (reader.tag !== tags.sequence) {
    throw new MalformedCertificate(`a name holds a value of a type it may not have, at byte ${reader.start}`);
  }
  return `#${Buffer.from(reader.element()).toString('hex').toUpperCase()}`;
}

function decodeValue(reader: DerReader): string {
  const octets = reader.content() as Buffer;
  switch (reader.tag) {
    case stringTags.utf8:
      return decodeUtf8(octets);
    case stringTags.bmp:
      return decodeWide(octets, 2);
    case stringTags.universal:
      return decodeWide(octets, 4);
    case stringTags.numeric:
    case stringTags.printable:
    case stringTags.t61:
    case stringTags.ia5:
    case stringTags.visible:
      return octets.toString('latin1');
    default:
      return decodeDump(reader);
  }
}

/** Reads the next element as a name (RFC 5280 §4.1.2.4). `what` names it in errors. */
export function readName(certificate: DerReader, what: string): DistinguishedName {
  const name: RelativeDistinguishedName[] = [];
  const rdns = certificate.enter(tags.sequence, what);
  let count = 0;
  while (!rdns.done) {
    const set = rdns.enter(tags.set, `RDN of the ${what}`);
    const attributes: Attribute[] = [];
    do {
      const pair = set.enter(tags.sequence, `attribute of the ${what}`);
      const oid = pair.oid('attribute type');
      const value = decodeValue(pair.next());
      pair.finish('attribute');
      attributes.push(Object.freeze({ oid, value, tag: pair.tag & 0x1f }));
      if (++count > maximumAttributes) throw new MalformedCertificate(`too many attributes in the ${what}`);
    } while (!set.done);
    name.push(Object.freeze(attributes));
  }
  return Object.freeze(name);
}

/** Upper-case hex of the magnitude, `-` before a negative one: what OpenSSL's i2a_ASN1_INTEGER prints. */
function readSerial(certificate: DerReader): string {
  certificate.expect(tags.integer, 'serial number');
  const octets = certificate.content() as Buffer;
  const first = octets[0];
  const second = octets[1] ?? -1;
  if (
    first === undefined ||
    octets.length > maximumSerialLength ||
    (first === 0 && second >= 0 && second < 0x80) ||
    (first === 0xff && second >= 0x80)
  ) {
    throw new MalformedCertificate('a serial number that is not DER, or longer than 64 bytes');
  }
  if (first < 0x80) return octets.toString('hex', first === 0 && octets.length > 1 ? 1 : 0).toUpperCase();
  const magnitude = (1n << BigInt(octets.length * 8)) - BigInt(`0x${octets.toString('hex')}`);
  const digits = magnitude.toString(16).toUpperCase();
  return `-${digits.length % 2 === 0 ? digits : `0${digits}`}`;
}

/** True where one of these characters has no place in a name that machines compare: C0 controls and DEL. */
function hasControls(octets: Buffer): boolean {
  for (let i = 0; i < octets.length; i++) if (octets[i]! < 0x20 || octets[i] === 0x7f) return true;
  return false;
}

/** otherName, x400Address, directoryName, ediPartyName, registeredID: there, but no rule looks at them. */
const otherAltNames: ReadonlySet<number> = new Set([0xa0, 0xa3, 0xa4, 0xa5, 0x88]);

const noAltNames: SubjectAltNames = Object.freeze({
  dns: Object.freeze([]),
  uri: Object.freeze([]),
  email: Object.freeze([]),
  ip: Object.freeze([]),
});

/**
 * Subject alternative names (RFC 5280 §4.2.1.6). A NUL or line break in one is an attack on whoever reads it
 * as text (CVE-2021-44532, CVE-2026-47778): the whole certificate is refused. Empty names say nothing and are
 * left out.
 */
function readAltNames(extension: DerReader): SubjectAltNames {
  const names = extension.enter(tags.sequence, 'alternative names');
  extension.finish('alternative names');
  const dns: string[] = [];
  const uri: string[] = [];
  const email: string[] = [];
  const ip: string[] = [];
  for (let count = 0; !names.done; count++) {
    if (count === maximumAltNames) throw new MalformedCertificate('too many alternative names');
    const { tag } = names.next();
    // Context-specific: [1] rfc822Name, [2] dNSName, [6] URI, [7] iPAddress; primitive, as they are implicit.
    if (tag === 0x81 || tag === 0x82 || tag === 0x86) {
      const octets = names.content() as Buffer;
      if (hasControls(octets) || (tag === 0x82 && !isAscii(octets))) {
        throw new MalformedCertificate(`an alternative name with a control character at byte ${names.start}`);
      }
      if (octets.length === 0) continue;
      (tag === 0x81 ? email : tag === 0x82 ? dns : uri).push(octets.toString('latin1'));
    } else if (tag === 0x87) {
      const address = formatIpAddress(names.content());
      if (address === null) throw new MalformedCertificate(`an IP address of ${names.length} bytes`);
      ip.push(address);
    } else if (!otherAltNames.has(tag)) {
      throw new MalformedCertificate(`an alternative name of no known form at byte ${names.start}`);
    }
  }
  return Object.freeze({
    dns: Object.freeze(dns),
    uri: Object.freeze(uri),
    email: Object.freeze(email),
    ip: Object.freeze(ip),
  });
}

function readExtensions(certificate: DerReader): SubjectAltNames {
  const wrapper = certificate.enter(0xa3, 'extensions');
  const extensions = wrapper.enter(tags.sequence, 'extensions');
  wrapper.finish('extensions');
  let san: SubjectAltNames | null = null;
  while (!extensions.done) {
    const extension = extensions.enter(tags.sequence, 'extension');
    extension.expect(tags.oid, 'extension type');
    const type = extension.content() as Buffer;
    if (extension.nextTag === tags.boolean) extension.next();
    const value = extension.enter(tags.octetString, 'extension value');
    extension.finish('extension');
    if (!type.equals(subjectAltName)) continue;
    // RFC 5280 §4.2: at most one of a kind. With two, which one counts would be anyone's guess.
    if (san !== null) throw new MalformedCertificate('two extensions of alternative names');
    san = readAltNames(value);
  }
  return san ?? noAltNames;
}

/** The OID of an AlgorithmIdentifier; its parameters are not looked at. */
function readAlgorithm(reader: DerReader, what: string): string {
  return reader.enter(tags.sequence, what).oid(what);
}

/**
 * A BIT STRING of whole octets. Were others let through, their unused bits would change the fingerprint of a
 * certificate and leave its signature valid.
 */
function expectOctets(reader: DerReader, what: string): void {
  reader.expect(tags.bitString, what);
  if (reader.length === 0 || reader.bytes[reader.contentStart] !== 0) {
    throw new MalformedCertificate(`a ${what} that is not whole bytes at byte ${reader.start}`);
  }
}

/**
 * The facts of a certificate, read once per connection from its DER. Reads what it needs and steps over the
 * rest; takes a certificate of at most 64 KiB. Throws MalformedCertificate at anything that RFC 5280's
 * structure and DER do not allow where it looks, even where OpenSSL is laxer.
 */
export function readIdentity(der: Uint8Array): Identity {
  if (der.length > maximumSize) throw new MalformedCertificate(`${der.length} bytes: more than 64 KiB`);
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
  const outer = new DerReader(bytes);
  const certificate = outer.enter(tags.sequence, 'certificate');
  outer.finish('certificate');
  const tbs = certificate.enter(tags.sequence, 'certificate body');
  let version = 0;
  if (tbs.nextTag === 0xa0) {
    const wrapper = tbs.enter(0xa0, 'version');
    const octets = wrapper.expect(tags.integer, 'version').content();
    wrapper.finish('version');
    if (octets.length !== 1 || octets[0]! > 2) throw new MalformedCertificate('a version that is not 1 to 3');
    version = octets[0]!;
  }
  const serial = readSerial(tbs);
  const signatureOid = readAlgorithm(tbs, 'signature algorithm');
  const signature = tbs.element() as Buffer;
  const issuer = readName(tbs, 'issuer');
  const validity = tbs.enter(tags.sequence, 'validity');
  const notBefore = validity.time('notBefore');
  const notAfter = validity.time('notAfter');
  validity.finish('validity');
  const subject = readName(tbs, 'subject');
  const key = tbs.enter(tags.sequence, 'public key');
  const spki = tbs.element();
  const keyOid = readAlgorithm(key, 'key algorithm');
  expectOctets(key, 'public key');
  key.finish('public key');
  for (const tag of [0x81, 0x82]) if (tbs.nextTag === tag) tbs.next();
  let san = noAltNames;
  if (tbs.nextTag === 0xa3) {
    if (version !== 2) throw new MalformedCertificate('extensions in a certificate that is not version 3');
    san = readExtensions(tbs);
  }
  tbs.finish('certificate body');
  // RFC 5280 §4.1.1.2: the algorithm that was signed is the one that is named outside.
  if (!signature.equals(certificate.expect(tags.sequence, 'signature algorithm').element())) {
    throw new MalformedCertificate('two signature algorithms that differ');
  }
  expectOctets(certificate, 'signature');
  certificate.finish('signature');
  return Object.freeze({
    subject,
    issuer,
    subjectText: formatRfc2253(subject),
    issuerText: formatRfc2253(issuer),
    san,
    serial,
    notBefore,
    notAfter,
    sha256: hash('sha256', bytes),
    sha1: hash('sha1', bytes),
    spki: hash('sha256', spki),
    keyAlgorithm: keyAlgorithms[keyOid] ?? keyOid,
    signatureAlgorithm: signatureAlgorithms[signatureOid] ?? signatureOid,
    der,
  });
}
