import { createHash } from 'node:crypto';
import type { ClientHello } from './client-hello.ts';
import { type ClientOffer, codesOf } from './client-offer.ts';

/**
 * JA4, a fingerprint of the software that a client runs (FoxIO, technical_details/JA4.md): 36 characters such as
 * `t13d1516h2_8daaf6152771_e5627efa2ab1`. It tells clients apart in a log; whoever wants to can imitate another's,
 * so nothing may be decided by it. Pure.
 */
export function ja4(hello: ClientHello, offer: ClientOffer): string {
  const ciphers = codesOf(hello.cipherSuites).map(hex);
  const extensions = codesOf(hello.extensions.keys());
  const named = extensions.filter((type) => type !== serverName && type !== alpn).map(hex);
  const algorithms = offer.signatureAlgorithms.map(hex);
  const version = versionNames.get(offer.versions.reduce((a, b) => Math.max(a, b), 0)) ?? '00';
  const destination = hello.extensions.has(serverName) ? 'd' : 'i';
  const counts = `${count(ciphers.length)}${count(extensions.length)}`;
  const first = `t${version}${destination}${counts}${endsOf(offer.alpn[0] ?? '')}`;
  const tail = algorithms.length === 0 ? '' : `_${algorithms.join(',')}`;
  return [
    first,
    ciphers.length === 0 ? nothing : digest(ciphers.sort().join(',')),
    named.length === 0 ? nothing : digest(`${named.sort().join(',')}${tail}`),
  ].join('_');
}

const serverName = 0;
const alpn = 16;

/** Of an empty list, so that it does not look like one of something. */
const nothing = '000000000000';

const versionNames: ReadonlyMap<number, string> = new Map([
  [0x0304, '13'],
  [0x0303, '12'],
  [0x0302, '11'],
  [0x0301, '10'],
  [0x0300, 's3'],
  [0x0002, 's2'],
]);

function hex(code: number): string {
  return code.toString(16).padStart(4, '0');
}

function count(length: number): string {
  return String(Math.min(length, 99)).padStart(2, '0');
}

/** First and last character of the first protocol; of its hex form where either is no ASCII letter or digit. */
function endsOf(protocol: string): string {
  if (protocol === '') return '00';
  const ends = protocol[0]! + protocol.at(-1)!;
  if (/^[0-9A-Za-z]{2}$/.test(ends)) return ends;
  const digits = Buffer.from(protocol, 'latin1').toString('hex');
  return digits[0]! + digits.at(-1)!;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
