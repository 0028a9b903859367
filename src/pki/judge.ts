import { X509Certificate } from 'node:crypto';
import type { Trust } from '../snapshot/snapshot.ts';
import { judgeChainAgainst, judgingContext, UnjudgedChain } from '../tls/certificate-judge.ts';
import { proveChain } from '../tls/chain-proof.ts';
import { TrustStore } from '../tls/trust-store.ts';
import type { Verdict } from '../tls/verdict.ts';
import { refuseDeepChain } from '../tls/verification.ts';
import { messageOf, PkiError } from './error.ts';

/** What a client certificate is verified against: the part of a host's settings that decides it. */
export interface TrustMaterial extends Pick<Trust, 'ca' | 'verifyDepth'> {
  /** PEM of CRLs, which OpenSSL then wants of every CA in the chain; or null. */
  readonly crl: string | null;
}

/**
 * The verdict that the proxy's own handshakes give on a client's chain (leaf first, DER).
 * @throws PkiError at a chain that no handshake gets to judge, and a trust store that cannot be used.
 */
export async function judgeChain(chain: readonly Uint8Array[], trust: TrustMaterial): Promise<Verdict> {
  const context = contextOf(trust);
  try {
    const verdict = await judgeChainAgainst(chain, context);
    if (verdict.status !== 'success') return verdict;
    const sent = chain.map((der) => new X509Certificate(der));
    return (
      refuseDeepChain(proveChain(sent, new TrustStore(trust.ca), Date.now()), trust.verifyDepth) ?? verdict
    );
  } catch (error) {
    if (error instanceof UnjudgedChain) throw new PkiError(error.message);
    throw error;
  }
}

function contextOf(trust: TrustMaterial): ReturnType<typeof judgingContext> {
  try {
    return judgingContext(trust);
  } catch (error) {
    throw new PkiError(`the trust store cannot be used: ${messageOf(error)}`);
  }
}
