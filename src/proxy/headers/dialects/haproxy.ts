import { attributeType, attributeTypeName } from '../../../tls/attribute-type.ts';
import { valuesOf } from '../../../tls/distinguished-name.ts';
import type { DistinguishedName } from '../../../tls/identity.ts';
import { base64, escapeOctets } from '../escape.ts';
import { provenIdentity, type WriteDialect } from './dialect.ts';

/**
 * The headers of haproxy-ingress: `X-SSL-Client-CN` (the first CN), `-DN` (slash style: `/C=NP/O=…/CN=…`),
 * `-SHA1` and `-SHA2` (SHA-256) in upper-case hex, and with `certificate` also `-Cert`, base64 DER. Only for a
 * proven identity; HAProxy 2.6 itself sends them with empty values then.
 *
 * HAProxy writes values as they are, so that a CN of `x/OU=y` forges a field, and 8-bit text raw. Here the
 * backslash, control characters and everything beyond ASCII are `\xHH` of their UTF-8, as OpenSSL's slash style
 * writes them, and so are `/` and `=` inside a value of the DN.
 */
export const writeHaproxy: WriteDialect = (proof) => {
  const identity = provenIdentity(proof);
  if (identity === null) return [];
  const headers: string[] = [];
  const [cn = ''] = commonName === null ? [] : valuesOf(identity.subject, commonName);
  if (cn !== '') headers.push('X-SSL-Client-CN', escapeEnds(escapeOctets(cn, unsafe, '\\x')));
  const name = slashStyle(identity.subject);
  if (name !== '') headers.push('X-SSL-Client-DN', name);
  headers.push('X-SSL-Client-SHA1', identity.sha1.toUpperCase());
  headers.push('X-SSL-Client-SHA2', identity.sha256.toUpperCase());
  if (proof.certificate) headers.push('X-SSL-Client-Cert', base64(identity.der));
  return headers;
};

const commonName = attributeType('CN');
const unsafe = /[^ -[\]-~]/gu;
const unsafeInName = /[^ -.0-<>-[\]-~]/gu;

function slashStyle(name: DistinguishedName): string {
  const text = name
    .flat()
    .map(({ oid, value }) => `/${attributeTypeName(oid)}=${escapeOctets(value, unsafeInName, '\\x')}`)
    .join('');
  return escapeEnds(text);
}

/** Spaces at the ends would be taken off on the wire: `admin ` must not arrive as `admin`. */
function escapeEnds(text: string): string {
  return text.replaceAll(/^ | $/g, '\\x20');
}
