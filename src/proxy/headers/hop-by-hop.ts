import { trimWhiteSpace, valuesOf } from './field.ts';

/**
 * Headers that are about one connection and go no further (RFC 9110 §7.6.1), and the framing of the body,
 * which is the sender's on each side. The Proxy-* pair of challenge and credentials is spoken with a proxy
 * that the client chose (§11.7); we are not one, and what stands behind us is none either. Trailers are
 * dropped, so Trailer announces nothing.
 */
export const hopByHopNames: readonly string[] = Object.freeze([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * The header names that a message's Connection header takes off it, in lower case; null where it names none
 * but the usual.
 */
export function connectionNamed(rawHeaders: readonly string[]): ReadonlySet<string> | null {
  let names: Set<string> | null = null;
  for (const value of valuesOf(rawHeaders, 'connection')) {
    for (const option of value.split(',')) {
      const name = trimWhiteSpace(option).toLowerCase();
      if (name === '' || name === 'close' || name === 'keep-alive' || name === 'upgrade') continue;
      names ??= new Set();
      names.add(name);
    }
  }
  return names;
}
