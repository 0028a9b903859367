/**
 * The names by which proxies hand a client certificate to backends. Whatever arrives under one of them did
 * not come from us, so it is removed from every inbound request, on every host (rule 4).
 */

/**
 * The form in which header names are compared: lower case, everything but letters and digits as `-`. CGI,
 * WSGI and PHP backends fold names like that, some `-` and `_` only, some (lighttpd) every other character.
 */
export function foldHeaderName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
}

/**
 * Every name of every dialect that we write, and what the same proxies write in other settings or wrote in
 * older versions, and names in use for it elsewhere. In the folded form.
 */
export const allDialectHeaderNames: ReadonlySet<string> = new Set([
  // nginx: ingress-nginx, its older names, and what people make of nginx's $ssl_client_* and Apache's SSL_CLIENT_*.
  'ssl-client-verify',
  'ssl-client-subject-dn',
  'ssl-client-issuer-dn',
  'ssl-client-cert',
  'ssl-client-dn',
  'ssl-client-s-dn',
  'ssl-client-i-dn',
  'ssl-client-cn',
  'ssl-client-s-dn-cn',
  'ssl-client-serial',
  'ssl-client-m-serial',
  'ssl-client-fingerprint',
  'ssl-client-raw-cert',
  'ssl-client-escaped-cert',
  'ssl-client-cert-chain',
  'ssl-client-v-start',
  'ssl-client-v-end',
  'ssl-client-v-remain',
  'ssl-client-sigalg',
  'ssl-cert',
  'x-ssl-cert',
  // Envoy
  'x-forwarded-client-cert',
  'x-forwarded-client-cert-chain',
  // RFC 9440
  'client-cert',
  'client-cert-chain',
  // Traefik
  'x-forwarded-tls-client-cert',
  'x-forwarded-tls-client-cert-info',
  'x-forwarded-tls-client-cert-infos',
  'x-forwarded-ssl-client-cert',
  'x-forwarded-ssl-client-cert-infos',
  // HAProxy
  'x-ssl-client-sha1',
  'x-ssl-client-sha2',
  'x-ssl-client-sha256',
  'x-ssl-client-dn',
  'x-ssl-client-cn',
  'x-ssl-client-cert',
  'x-ssl-client-verify',
  'x-ssl-client-serial',
  'x-ssl-client-subject-dn',
  'x-ssl-client-issuer-dn',
  'x-ssl-client-s-dn',
  'x-ssl-client-i-dn',
  'x-ssl-client-notbefore',
  'x-ssl-client-notafter',
  'x-ssl-client-not-before',
  'x-ssl-client-not-after',
  'x-ssl-issuer',
  'x-ssl-subject',
  // Others
  'x-client-cert',
  'x-client-cert-chain',
  'x-client-certificate',
  'x-client-cert-subject',
  'x-client-cert-subject-dn',
  'x-client-cert-issuer-dn',
  'x-client-cert-serial',
  'x-client-cert-fingerprint',
  'x-client-cert-sha256',
  'x-client-dn',
  'x-client-cn',
  'x-client-verify',
  'x-client-subject-dn',
  'x-client-issuer-dn',
  'x-tls-client-cert',
  'x-tls-client-dn',
  'x-arr-clientcert',
  'wl-proxy-client-cert',
]);

/** Families of such names: nothing else has a reason to begin like this. */
const families =
  /^(?:ssl-client-|x-ssl-client-|x-ssl-cert|client-cert(?:$|-)|x-client-cert|x-forwarded-client-cert|x-forwarded-(?:tls|ssl)-client-|x-tls-client-)/;

/**
 * True for every name under which an identity is handed on, known or of a known family.
 * @param folded See `foldHeaderName`.
 */
export function isIdentityHeaderName(folded: string): boolean {
  return allDialectHeaderNames.has(folded) || families.test(folded);
}

/** The names that only we may set: those of all dialects and of every template given. For `Snapshot.identityHeaderNames`. */
export function identityHeaderNamesOf(
  identityHeaders: Iterable<{ readonly templates: ReadonlyMap<string, string> }>,
): ReadonlySet<string> {
  const names = new Set(allDialectHeaderNames);
  for (const { templates } of identityHeaders) {
    for (const name of templates.keys()) names.add(foldHeaderName(name));
  }
  return names;
}
