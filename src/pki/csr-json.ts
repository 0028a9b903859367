import { domainToASCII } from 'node:url';
import { type AltName, altNameOf } from './alt-name.ts';
import { parseDuration } from './duration.ts';
import { PkiError } from './error.ts';
import type { JsonValue } from './json-file.ts';
import type { KeyKind } from './key.ts';
import { attributeOid, type Name, type NameAttribute } from './name.ts';
import { attributeOids } from './oid.ts';

/** What a cfssl CSR file asks for. */
export interface CsrRequest {
  /** In the order of the file, one attribute per RDN, the CN last. */
  readonly subject: Name;
  readonly hosts: readonly AltName[];
  readonly key: KeyKind;
  /** Of the `ca` object; milliseconds. */
  readonly ca: { readonly expiry?: number; readonly backdate?: number; readonly pathLen?: number };
  readonly warnings: readonly string[];
}

/** Upper bounds of RFC 5280 Appendix A.1, in characters. Longer values are legal DER that some software refuses. */
const upperBounds = new Map([
  [attributeOids['CN'], 64],
  [attributeOids['O'], 64],
  [attributeOids['OU'], 64],
  [attributeOids['L'], 128],
  [attributeOids['ST'], 128],
  [attributeOids['serialNumber'], 64],
  [attributeOids['emailAddress'], 255],
]);

const nameFields = new Map([
  ['c', 'C'],
  ['st', 'ST'],
  ['l', 'L'],
  ['o', 'O'],
  ['ou', 'OU'],
  ['e', 'emailAddress'],
  ['serialnumber', 'serialNumber'],
]);

function checkAttribute(attribute: NameAttribute, warnings: string[]): NameAttribute {
  const text = String(attribute.value);
  const bound = upperBounds.get(attribute.oid);
  if (attribute.oid === attributeOids['C'] && !/^[A-Za-z]{2}$/.test(text)) {
    warnings.push(`C=${JSON.stringify(text)} is not a two-letter country code; other software may refuse it`);
  } else if (bound !== undefined && Array.from(text).length > bound) {
    warnings.push(`${JSON.stringify(text)} is longer than the ${bound} characters RFC 5280 allows`);
  }
  return attribute;
}

function readNames(entry: JsonValue, warnings: string[]): NameAttribute[] {
  const attributes: NameAttribute[] = [];
  const add = (oid: string, value: string): void => {
    if (value !== '') attributes.push(checkAttribute({ oid, value }, warnings));
  };
  for (const [field, value] of entry.members()) {
    const type = nameFields.get(field.toLowerCase());
    if (type !== undefined) add(attributeOids[type]!, value.text());
    else if (field.toLowerCase() === 'oid') {
      for (const [oid, extra] of value.members())
        add(
          extra.attempt(() => attributeOid(oid)),
          extra.text(),
        );
    } else {
      warnings.push(`names: ${JSON.stringify(field)} is not a field cfssl knows, left out`);
    }
  }
  return attributes;
}

/** One entry of `hosts` as a name that may stand in a certificate: IDN in its ASCII form, no spaces, no other bytes. */
export function readHost(host: string): AltName {
  const name = altNameOf(host);
  if (name.type === 'dns') {
    const ascii = host.startsWith('*.') ? `*.${domainToASCII(host.slice(2))}` : domainToASCII(host);
    const labels = ascii.split('.');
    const fits = ascii.length <= 253 && labels.every((label) => /^[A-Za-z0-9_*-]{1,63}$/.test(label));
    if (!fits) {
      throw new PkiError(`${JSON.stringify(host)} is neither a DNS name, an IP address, an e-mail nor a URI`);
    }
    // The user's own letters where they are ASCII already: cfssl keeps them too.
    return /^[\x21-\x7e]+$/.test(host) ? name : { type: 'dns', value: ascii };
  }
  if (name.type !== 'ip' && !/^[\x21-\x7e]+$/.test(host)) {
    throw new PkiError(
      `${JSON.stringify(host)} must be plain ASCII: percent-encode a URI, use the ASCII form of a domain`,
    );
  }
  return name;
}

function readKey(key: JsonValue | undefined): KeyKind {
  if (key === undefined) return { algo: 'ecdsa', size: 256 };
  const algo = key.member('algo');
  const size = key.member('size');
  const bits = size?.count();
  switch (algo?.text() ?? 'ecdsa') {
    case 'rsa':
      if (bits !== undefined && (bits < 2048 || bits > 4096)) {
        return size!.fail(`an RSA key has 2048 to 4096 bits, not ${bits}`);
      }
      return { algo: 'rsa', size: bits ?? 2048 };
    case 'ecdsa':
      if (bits === undefined || bits === 256 || bits === 384 || bits === 521) {
        return { algo: 'ecdsa', size: bits ?? 256 };
      }
      return size!.fail(`an ECDSA key has size 256, 384 or 521, not ${bits}`);
    case 'ed25519':
      return { algo: 'ed25519' };
    default:
      return algo!.fail(`must be "rsa", "ecdsa" or "ed25519"`);
  }
}

function readCa(ca: JsonValue | undefined): CsrRequest['ca'] {
  if (ca === undefined) return {};
  const expiry = ca.member('expiry');
  const backdate = ca.member('backdate');
  const pathLen = ca.member('pathlen')?.count();
  const zero = ca.member('pathlenzero')?.flag() ?? false;
  // cfssl's rule, from Go: a 0 counts only where pathlenzero says it is meant.
  const limit = pathLen === undefined || (pathLen === 0 && !zero) ? (zero ? 0 : undefined) : pathLen;
  return {
    ...(expiry === undefined || expiry.text() === ''
      ? {}
      : { expiry: expiry.attempt(() => parseDuration(expiry.text())) }),
    ...(backdate === undefined || backdate.text() === ''
      ? {}
      : { backdate: backdate.attempt(() => parseDuration(backdate.text())) }),
    ...(limit === undefined ? {} : { pathLen: limit }),
  };
}

const knownFields = new Set(['cn', 'names', 'hosts', 'key', 'ca', 'serialnumber']);

/** Reads a CSR in cfssl's JSON. Field names in any letter case; empty hosts (the `[""]` of many guides) are left out. */
export function readCsrJson(json: JsonValue): CsrRequest {
  const warnings: string[] = [];
  for (const [field] of json.members()) {
    if (!knownFields.has(field.toLowerCase())) warnings.push(`${JSON.stringify(field)} is not used`);
  }
  const attributes = (json.member('names')?.items() ?? []).flatMap((entry) => readNames(entry, warnings));
  for (const [field, oid] of [
    ['serialnumber', attributeOids['serialNumber']!],
    ['CN', attributeOids['CN']!],
  ] as const) {
    const value = json.member(field)?.text() ?? '';
    if (value !== '') attributes.push(checkAttribute({ oid, value }, warnings));
  }
  const hosts = (json.member('hosts')?.items() ?? [])
    .filter((host) => host.text() !== '')
    .map((host) => host.attempt(() => readHost(host.text())));
  if (attributes.length === 0 && hosts.length === 0) json.fail('needs a CN, names or hosts');
  return {
    subject: attributes.map((attribute) => [attribute]),
    hosts,
    key: readKey(json.member('key')),
    ca: readCa(json.member('ca')),
    warnings,
  };
}
