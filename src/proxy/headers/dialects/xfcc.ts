import { escapeOctets, headerText } from '../escape.ts';
import { provenIdentity, type WriteDialect } from './dialect.ts';
import { escapedPem } from './nginx.ts';

/**
 * Envoy's x-forwarded-client-cert as with SANITIZE_SET and all details on: one element, ours, in Envoy's order
 * Hash, Cert, Subject, URI, DNS. No By: our own certificate's URI is no part of an identity. Only for a proven
 * identity.
 *
 * Syntax: `Key=Value` joined by `;`, elements by `,`; a value that holds one of `,;=` stands in double quotes,
 * in which only `\"` is an escape. Envoy writes URI and DNS as they are, so a name with `;Hash=…` forges a
 * field; here they are quoted where need be.
 */
export const writeXfcc: WriteDialect = (proof) => {
  const identity = provenIdentity(proof);
  if (identity === null) return [];
  const fields = [`Hash=${identity.sha256}`];
  if (proof.certificate) fields.push(`Cert="${escapedPem(identity.der)}"`);
  fields.push(`Subject="${subjectValue(identity.subjectText)}"`);
  // Envoy gives every URI, and the key alone where there is none.
  fields.push(
    ...(identity.san.uri.length === 0 ? ['URI='] : identity.san.uri.map((uri) => `URI=${uriValue(uri)}`)),
  );
  fields.push(...identity.san.dns.map((name) => `DNS=${dnsValue(name)}`));
  return ['x-forwarded-client-cert', fields.join(';')];
};

/**
 * RFC 2253 text without `"` and `\\`, both written as hex pairs (`\22`, `\5C`), which mean the same there. So
 * readers that know `\"` only and readers that take any `\x` for an escape find the same closing quote.
 */
function subjectValue(rfc2253: string): string {
  return headerText(rfc2253).replaceAll(/\\(["\\]|$)|"/g, (text) => (text.endsWith('"') ? '\\22' : '\\5C'));
}

/** No URI holds these characters raw (RFC 3986 §2); encoded they do no harm. */
const unsafeInUri = /[^!#-[\]-~]/gu;

function uriValue(uri: string): string {
  return quoted(escapeOctets(uri, unsafeInUri, '%'));
}

/** A `%` is no part of a DNS name, so what was encoded can be told from what was not. */
const unsafeInDns = /[^!#$&-[\]-~]/gu;

function dnsValue(name: string): string {
  return quoted(escapeOctets(name, unsafeInDns, '%'));
}

function quoted(value: string): string {
  return /[,;=]/.test(value) ? `"${value}"` : value;
}
