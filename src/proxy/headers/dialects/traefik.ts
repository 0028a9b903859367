import { valuesOf } from '../../../tls/distinguished-name.ts';
import { attributeType } from '../../../tls/attribute-type.ts';
import type { DistinguishedName, Identity } from '../../../tls/identity.ts';
import { base64, escapeOctets } from '../escape.ts';
import { provenIdentity, type WriteDialect } from './dialect.ts';

/**
 * The headers of Traefik's passTLSClientCert with all of `info` on, for the leaf alone and only for a proven
 * identity (Traefik sends whatever was presented): `-Info` is the query-escaped text
 * `Subject="C=…,O=…,OU=…,CN=…";Issuer="…";SerialNumber="<decimal>";NB="<seconds>";NA="<seconds>";SAN="a,b"`,
 * and with `certificate` the other is the base64 DER.
 *
 * Traefik writes values between the quotes as they are, so that a CN of `x",OU="y` or `x,OU=y` forges a field.
 * Here `" % , ; = \` and control characters in a value are percent-encoded before the whole is escaped: after
 * Traefik's own decoding a reader decodes each value once more, and one that does not is still not deceived.
 */
export const writeTraefik: WriteDialect = (proof) => {
  const identity = provenIdentity(proof);
  if (identity === null) return [];
  const headers = ['X-Forwarded-Tls-Client-Cert-Info', queryEscape(info(identity))];
  if (proof.certificate) headers.push('X-Forwarded-Tls-Client-Cert', base64(identity.der));
  return headers;
};

/** In Traefik's order; SN is the serialNumber attribute. Its issuer has no OU. */
const subjectTypes = ['DC', 'C', 'ST', 'L', 'O', 'OU', 'SN', 'CN'];
const issuerTypes = ['DC', 'C', 'ST', 'L', 'O', 'SN', 'CN'];

function info({ subject, issuer, serial, notBefore, notAfter, san }: Identity): string {
  const fields: readonly (readonly [key: string, value: string])[] = [
    ['Subject', nameValue(subject, subjectTypes)],
    ['Issuer', nameValue(issuer, issuerTypes)],
    ['SerialNumber', decimal(serial)],
    ['NB', seconds(notBefore)],
    ['NA', seconds(notAfter)],
    ['SAN', [...san.dns, ...san.email, ...san.ip, ...san.uri].map(escapeValue).join(',')],
  ];
  return fields
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}="${value}"`)
    .join(';');
}

function nameValue(name: DistinguishedName, types: readonly string[]): string {
  return types
    .flatMap((type) => {
      const oid = attributeType(type === 'SN' ? 'serialNumber' : type);
      const values = oid === null ? [] : valuesOf(name, oid);
      return values.filter((value) => value !== '').map((value) => `${type}=${escapeValue(value)}`);
    })
    .join(',');
}

function escapeValue(value: string): string {
  return escapeOctets(value, /["%,;=\\\p{Cc}]/gu, '%');
}

/** Identity.serial is hex with an optional sign. */
function decimal(serial: string): string {
  const match = /^(-?)([0-9A-Fa-f]+)$/.exec(serial);
  return match === null ? '' : `${match[1] ?? ''}${BigInt(`0x${match[2] ?? '0'}`)}`;
}

function seconds(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? String(Math.floor(milliseconds / 1000)) : '';
}

/** Go's url.QueryEscape: unreserved characters stay, a space is `+`, all else `%XX` of its UTF-8. */
function queryEscape(text: string): string {
  return escapeOctets(text, /[^A-Za-z0-9._~ -]/gu, '%').replaceAll(' ', '+');
}
