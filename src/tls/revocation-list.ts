import { createPublicKey } from 'node:crypto';
import { type CrlIssuer, comparableName } from './crl-issuer.ts';
import { isSignedBy } from './crl-signature.ts';
import { DerReader, MalformedCertificate, tags } from './der.ts';
import { SerialSet } from './serial-set.ts';

/** A CRL that is none, or that asks for something which is not honoured here: none of it counts. */
export class UnusableCrl extends Error {
  override readonly name = 'UnusableCrl';
}

/** Which certificates of its issuer a CRL speaks of (RFC 5280 §5.2.5). */
export type CrlScope = 'all' | 'user' | 'ca';

const oids = {
  crlNumber: '2.5.29.20',
  reasonCode: '2.5.29.21',
  invalidityDate: '2.5.29.24',
  deltaCrlIndicator: '2.5.29.27',
  issuingDistributionPoint: '2.5.29.28',
  certificateIssuer: '2.5.29.29',
  authorityKeyIdentifier: '2.5.29.35',
} as const;

/** Octets of a serial number, as for certificates. */
const maximumSerialLength = 64;

/** Keys that it was tried under, remembered; of one name there is rarely a second. */
const maximumKeys = 8;

/**
 * One CRL, read and held for asking (RFC 5280 §5). Immutable: what it remembers is the answer to a pure question
 * that is dear to ask. Takes the octets of its DER and some ten for each entry.
 */
export class RevocationList {
  /** The issuer's name, as `comparableName` writes it. */
  readonly issuer: string;
  /** authorityKeyIdentifier, lower-case hex; null without. */
  readonly issuerKeyId: string | null;
  /** DER of the issuer's name, lower-case hex. */
  readonly issuerDer: string;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  /** Milliseconds since 1970; null where it never runs out. */
  readonly nextUpdate: number | null;
  /** cRLNumber; -1 without. */
  readonly number: bigint;
  readonly entries: number;
  readonly scope: CrlScope;
  readonly #serials: SerialSet;
  readonly #signed: Uint8Array;
  readonly #algorithm: string;
  readonly #signature: Uint8Array;
  readonly #keys = new Map<string, boolean>();

  /** @throws UnusableCrl */
  constructor(der: Buffer) {
    try {
      const file = new DerReader(der);
      const outer = file.enter(tags.sequence, 'CRL');
      file.finish('CRL');
      const body = outer.enter(tags.sequence, 'CRL to be signed');
      this.#signed = outer.element();
      const version = readVersion(body);
      body.expect(tags.sequence, 'signature algorithm');
      const inner = hex(body.element());
      const start = new DerReader(body.bytes, body.contentEnd, outer.contentEnd);
      this.issuer = comparableName(start);
      this.issuerDer = hex(body.expect(tags.sequence, 'issuer').element());
      this.thisUpdate = body.time('thisUpdate');
      const dated = body.nextTag === tags.utcTime || body.nextTag === tags.generalizedTime;
      this.nextUpdate = dated ? body.time('nextUpdate') : null;
      const starts = body.nextTag === tags.sequence ? readEntries(body, version) : [];
      this.entries = starts.length;
      this.#serials = new SerialSet(der, starts);
      const extensions = readListExtensions(body, version);
      body.finish('CRL to be signed');
      ({ number: this.number, issuerKeyId: this.issuerKeyId, scope: this.scope } = extensions);
      const algorithm = outer.expect(tags.sequence, 'signature algorithm');
      if (hex(algorithm.element()) !== inner)
        throw new UnusableCrl('it names two signature algorithms that differ');
      this.#algorithm = new DerReader(algorithm.content()).oid('signature algorithm');
      const signature = outer.expect(tags.bitString, 'signature').content();
      if (signature[0] !== 0) throw new UnusableCrl('its signature is not a whole number of octets');
      this.#signature = signature.subarray(1);
      outer.finish('CRL');
    } catch (error) {
      if (error instanceof MalformedCertificate) throw new UnusableCrl(error.message);
      throw error;
    }
  }

  /** Whether it lists a serial number (hex). An entry on hold, or removed from hold, counts as any other. */
  has(serial: string): boolean {
    return this.#serials.has(serial);
  }

  /** Whether it speaks of certificates of this kind. */
  covers(isCa: boolean): boolean {
    return this.scope === 'all' || (this.scope === 'ca') === isCa;
  }

  /** Whether by name and key identifier a CA may have issued it; no signature is looked at. */
  mayBeOf({ name, keyId }: CrlIssuer): boolean {
    return (
      name === this.issuer && (keyId === null || this.issuerKeyId === null || keyId === this.issuerKeyId)
    );
  }

  /** Whether a CA issued it: name, key identifier, the right to sign CRLs, and its signature. Remembered by key. */
  isOf(issuer: CrlIssuer): boolean {
    if (!this.mayBeOf(issuer) || !issuer.signsCrls) return false;
    let holds = this.#keys.get(issuer.key);
    if (holds !== undefined) return holds;
    holds = this.#verify(issuer);
    if (this.#keys.size >= maximumKeys) this.#keys.delete(this.#keys.keys().next().value!);
    this.#keys.set(issuer.key, holds);
    return holds;
  }

  #verify({ publicKey }: CrlIssuer): boolean {
    try {
      const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
      return isSignedBy(this.#algorithm, this.#signed, this.#signature, key);
    } catch {
      return false;
    }
  }
}

/** The version (RFC 5280 §5.1.2.1), as a number: 1 where it is left out. */
function readVersion(body: DerReader): 1 | 2 {
  if (body.nextTag !== tags.integer) return 1;
  const content = body.next().content();
  if (content.length !== 1 || content[0] !== 1) throw new UnusableCrl('it is of a version that is not known');
  return 2;
}

/** Where the serial numbers stand: the offset of each one's length octet. */
function readEntries(body: DerReader, version: 1 | 2): number[] {
  const starts: number[] = [];
  const entries = body.enter(tags.sequence, 'revoked certificates');
  while (!entries.done) {
    const entry = entries.enter(tags.sequence, 'revoked certificate');
    const serial = entry.expect(tags.integer, 'serial number');
    const { bytes, contentStart, length } = serial;
    const [first, second] = [bytes[contentStart]!, bytes[contentStart + 1]!];
    const padded = length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (length === 0 || length > maximumSerialLength || padded) {
      throw new UnusableCrl(
        `a serial number that is not DER, or longer than 64 bytes, at byte ${serial.start}`,
      );
    }
    starts.push(contentStart - 1);
    entry.time('revocation date');
    if (entry.done) continue;
    if (version === 1) throw new UnusableCrl('it is of version 1, and has extensions');
    const extensions = entry.enter(tags.sequence, 'entry extensions');
    while (!extensions.done) {
      const { oid, critical } = readExtension(extensions);
      if (oid === oids.certificateIssuer) throw new UnusableCrl(indirect);
      if (critical && oid !== oids.reasonCode && oid !== oids.invalidityDate) {
        throw new UnusableCrl(`an entry has a critical extension that is not known here (${oid})`);
      }
    }
    entry.finish('revoked certificate');
  }
  return starts;
}

const indirect = 'it is an indirect CRL, which speaks of certificates of other CAs: those are not taken';

interface ListExtensions {
  readonly number: bigint;
  readonly issuerKeyId: string | null;
  readonly scope: CrlScope;
}

function readListExtensions(body: DerReader, version: 1 | 2): ListExtensions {
  let number = -1n;
  let issuerKeyId: string | null = null;
  let scope: CrlScope = 'all';
  if (body.done) return { number, issuerKeyId, scope };
  if (version === 1) throw new UnusableCrl('it is of version 1, and has extensions');
  const extensions = body.enter(0xa0, 'extensions').enter(tags.sequence, 'extensions');
  const seen = new Set<string>();
  while (!extensions.done) {
    const { oid, critical, value } = readExtension(extensions);
    if (seen.has(oid)) throw new UnusableCrl(`the extension ${oid} comes twice`);
    seen.add(oid);
    if (oid === oids.crlNumber) number = readNumber(value);
    else if (oid === oids.authorityKeyIdentifier) issuerKeyId = readKeyId(value);
    else if (oid === oids.issuingDistributionPoint) scope = readScope(value);
    else if (oid === oids.deltaCrlIndicator) {
      throw new UnusableCrl('it is a delta CRL, which says only what changed: give the whole one');
    } else if (critical) {
      throw new UnusableCrl(`it has a critical extension that is not known here (${oid})`);
    }
  }
  return { number, issuerKeyId, scope };
}

function readExtension(list: DerReader): {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
} {
  const extension = list.enter(tags.sequence, 'extension');
  const oid = extension.oid('extension type');
  const critical = extension.nextTag === tags.boolean && extension.next().content()[0] !== 0;
  const value = extension.expect(tags.octetString, 'extension value').content();
  extension.finish('extension');
  return { oid, critical, value };
}

/** At most 20 octets (RFC 5280 §5.2.3), and not negative. */
function readNumber(value: Uint8Array): bigint {
  const content = new DerReader(value).expect(tags.integer, 'CRL number').content();
  if (content.length === 0 || content.length > 21 || content[0]! >= 0x80) {
    throw new UnusableCrl('its number is out of bounds');
  }
  return BigInt(`0x${hex(content)}`);
}

function readKeyId(value: Uint8Array): string | null {
  const body = new DerReader(value).enter(tags.sequence, 'authority key identifier');
  return body.nextTag === 0x80 ? hex(body.next().content()) : null;
}

/**
 * issuingDistributionPoint (RFC 5280 §5.2.5): only the two scopes that a certificate shows by itself. A list for
 * one distribution point, or for some reasons, says nothing of the rest, which would pass for good.
 */
function readScope(value: Uint8Array): CrlScope {
  const body = new DerReader(value).enter(tags.sequence, 'issuing distribution point');
  let scope: CrlScope = 'all';
  while (!body.done) {
    const { tag } = body.next();
    const content = body.content();
    if (tag === 0xa0)
      throw new UnusableCrl('it covers one distribution point alone: give the CRL of all of the CA');
    if (tag === 0x83) throw new UnusableCrl('it covers some reasons for revocation alone');
    const set = content.length === 1 && content[0] !== 0;
    if (!set) continue;
    if (tag === 0x84) throw new UnusableCrl(indirect);
    if (tag === 0x85) throw new UnusableCrl('it covers attribute certificates alone');
    if ((tag !== 0x81 && tag !== 0x82) || scope !== 'all')
      throw new UnusableCrl('its scope cannot be understood');
    scope = tag === 0x81 ? 'user' : 'ca';
  }
  return scope;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
