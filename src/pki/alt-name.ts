import { parseIpAddress } from '../tls/ip-address.ts';
import { extensionOids } from './oid.ts';
import { encodeExtension } from './extension.ts';
import { explicit, implicit, oid, sequence, tlv } from './der.ts';
import { PkiError } from './error.ts';

/** One subject alternative name to be written (RFC 5280 §4.2.1.6). Bytes stand exactly as given. */
export type AltName =
  | { readonly type: 'dns' | 'email' | 'uri'; readonly value: string | Uint8Array }
  | { readonly type: 'ip'; readonly value: string | Uint8Array }
  | { readonly type: 'directory'; readonly value: Uint8Array }
  | { readonly type: 'other'; readonly oid: string; readonly value: Uint8Array };

/** Sorts one entry of cfssl's `hosts` as cfssl does: an address, an e-mail, a URI, else a DNS name. */
export function altNameOf(host: string): AltName {
  if (parseIpAddress(host) !== null) return { type: 'ip', value: host };
  if (/^[^@\s:/]+@[^@\s/]+$/.test(host)) return { type: 'email', value: host };
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\S+$/.test(host)) return { type: 'uri', value: host };
  return { type: 'dns', value: host };
}

function ipOctets(text: string): Uint8Array {
  const octets = parseIpAddress(text);
  if (octets === null) throw new PkiError(`${JSON.stringify(text)} is not an IP address`);
  return octets;
}

const textTags = { email: 1, dns: 2, uri: 6 } as const;

function encodeAltName(name: AltName): Buffer {
  if (name.type === 'ip') {
    return implicit(7, typeof name.value === 'string' ? ipOctets(name.value) : name.value);
  }
  if (name.type === 'directory') return explicit(4, name.value);
  if (name.type === 'other') return tlv(0xa0, oid(name.oid), explicit(0, name.value));
  const { type, value } = name;
  return implicit(textTags[type], typeof value === 'string' ? Buffer.from(value, 'utf8') : value);
}

/** The subjectAltName extension; critical when the subject is empty (RFC 5280 §4.2.1.6). */
export function subjectAltName(names: readonly AltName[], critical = false): Buffer {
  return encodeExtension({
    oid: extensionOids.subjectAltName,
    critical,
    value: sequence(...names.map(encodeAltName)),
  });
}
