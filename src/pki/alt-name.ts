import { isIP } from 'node:net';
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
  if (isIP(host) !== 0) return { type: 'ip', value: host };
  if (/^[^@\s:/]+@[^@\s/]+$/.test(host)) return { type: 'email', value: host };
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\S+$/.test(host)) return { type: 'uri', value: host };
  return { type: 'dns', value: host };
}

function ipv4Octets(text: string): number[] {
  return text.split('.').map(Number);
}

/** The 4 or 16 octets of an address in text. Throws PkiError if it is none, or carries a zone. */
export function ipOctets(text: string): Buffer {
  if (isIP(text) === 4) return Buffer.from(ipv4Octets(text));
  if (isIP(text) !== 6 || text.includes('%'))
    throw new PkiError(`${JSON.stringify(text)} is not an IP address`);
  let plain = text;
  const dotted = /(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1];
  if (dotted !== undefined) {
    const [a, b, c, d] = ipv4Octets(dotted) as [number, number, number, number];
    plain = `${text.slice(0, -dotted.length)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
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
