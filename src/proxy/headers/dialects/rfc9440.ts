import { base64 } from '../escape.ts';
import { provenIdentity, type WriteDialect } from './dialect.ts';

/**
 * RFC 9440: `Client-Cert` with the certificate as a Byte Sequence (RFC 8941 §3.3.5). Only for a proven identity;
 * its absence is what says that there is none. Client-Cert-Chain is never sent: an identity is the leaf alone.
 */
export const writeRfc9440: WriteDialect = (proof) => {
  const identity = provenIdentity(proof);
  return identity === null ? [] : ['Client-Cert', `:${base64(identity.der)}:`];
};
