import { toPem } from '../../../pki/pem.ts';
import type { Identity } from '../../../tls/identity.ts';
import { escapeOctets, headerText } from '../escape.ts';
import type { Proof, WriteDialect } from './dialect.ts';

/**
 * The headers of ingress-nginx (nginx.tmpl, "auth-tls"): `ssl-client-verify` says SUCCESS, NONE or
 * `FAILED:reason`, with the names as `$ssl_client_s_dn` and `$ssl_client_i_dn` give them, RFC 2253. As there,
 * a failed certificate that the mode let pass (`optional_no_ca`) is told with its names, which prove nothing:
 * a backend has to look at ssl-client-verify. nginx sends no header whose value is empty.
 */
export const writeNginx: WriteDialect = (proof) => {
  const { verdict, identity } = proof;
  if (verdict.status === 'none') return ['ssl-client-verify', 'NONE'];
  if (verdict.status === 'failed') {
    const reason = escapeOctets(verdict.detail, /[^ -~]/gu, '\\').trim();
    return ['ssl-client-verify', `FAILED:${reason}`, ...(identity === null ? [] : facts(identity, proof))];
  }
  // Success without a certificate is none (rule 2).
  if (identity === null) return ['ssl-client-verify', 'NONE'];
  return ['ssl-client-verify', 'SUCCESS', ...facts(identity, proof)];
};

function facts(identity: Identity, { certificate }: Proof): string[] {
  const headers: string[] = [];
  const subject = headerText(identity.subjectText);
  const issuer = headerText(identity.issuerText);
  if (subject !== '') headers.push('ssl-client-subject-dn', subject);
  if (issuer !== '') headers.push('ssl-client-issuer-dn', issuer);
  if (certificate) headers.push('ssl-client-cert', escapedPem(identity.der));
  return headers;
}

/**
 * `$ssl_client_escaped_cert`: PEM by NGX_ESCAPE_URI_COMPONENT, which keeps the unreserved characters of RFC 3986.
 * PEM holds none of the five further ones that encodeURIComponent keeps.
 */
export function escapedPem(der: Uint8Array): string {
  return encodeURIComponent(toPem('CERTIFICATE', der));
}
