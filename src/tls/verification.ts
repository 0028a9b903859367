import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ClientAuthMode } from '../config/schema.ts';
import type { ChainProof } from './chain-proof.ts';
import { verdictOf, type Verdict, type VerdictFailed } from './verdict.ts';

/** What OpenSSL said of the client's certificate, read off a socket whose handshake is over. */
export function verdictOfSocket(
  socket: TLSSocket,
  requested: boolean,
  certificate = socket.getPeerX509Certificate(),
): Verdict {
  const words = certificate === undefined ? null : errorText(socket);
  return verdict(socket, requested, certificate !== undefined, words);
}

/**
 * The same of a handshake that `rejectUnauthorized` ended: the certificate is gone with it, but there was one
 * if there is an error about it, since its absence ends the handshake with an error of OpenSSL's own.
 */
export function verdictOfAborted(socket: TLSSocket): Verdict {
  return verdict(socket, true, Boolean(socket.authorizationError), null);
}

function verdict(
  socket: TLSSocket,
  requested: boolean,
  certificatePresent: boolean,
  errorText: string | null,
): Verdict {
  // Typed as an Error, it is the error's code (Node's documentation of tlsSocket.authorizationError).
  const error = socket.authorizationError as unknown as string | null | undefined;
  return verdictOf({
    requested,
    certificatePresent,
    authorized: socket.authorized,
    authorizationError: error ?? null,
    errorText,
  });
}

/**
 * OpenSSL's own words for the error. Node's public code is `UNSPECIFIED` for many (a weak key, a name
 * constraint); only the handle has them. Without, the reason is `other`: still a failure, told less well.
 * Where a handshake broke off, or no certificate is there, the question crashes Node 26 (measured): it is asked
 * only of a finished handshake with a certificate.
 */
function errorText(socket: TLSSocket): string | null {
  if (socket.destroyed) return null;
  type Handle = { verifyError?(): { readonly message?: unknown } | null | undefined };
  const message = (socket as { _handle?: Handle })._handle?.verifyError?.()?.message;
  return typeof message === 'string' ? message : null;
}

/** Whether a mode lets a verdict pass: nginx's table, ngx_http_process_request. */
export function passes(mode: ClientAuthMode, verdict: Verdict): boolean {
  switch (mode) {
    case 'off':
      return true;
    case 'require':
      return verdict.status === 'success';
    case 'optional':
      return verdict.status !== 'failed';
    case 'optional_no_ca':
      return verdict.status !== 'failed' || verdict.untrustedOnly;
  }
}

/**
 * The certificates that the client sent, its own first, at most `limit`. Empty: none. A resumed session has
 * the client's own alone (Node 26), and Node 24 hides the others always.
 */
export function sentCertificates(socket: TLSSocket, limit = 100): X509Certificate[] {
  const certificates: X509Certificate[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && certificates.length < limit) {
    certificates.push(certificate);
    certificate = certificate.issuerCertificate;
  }
  return certificates;
}

/**
 * Refuses more than `verifyDepth` intermediates between certificate and anchor: nginx's ssl_verify_depth, which
 * Node does not offer; since OpenSSL 1.1 it counts neither leaf nor anchor. A chain that cannot be proven, by the
 * certificates that the client sent and those of the trust store, is refused as well.
 */
export function refuseDeepChain(proof: ChainProof | null, verifyDepth: number): VerdictFailed | null {
  if (proof === null) return tooLong('the chain cannot be followed to a trust anchor');
  if (proof.intermediates <= verifyDepth) return null;
  return tooLong('certificate chain too long', `${proof.intermediates} intermediates, ${verifyDepth} may be`);
}

function tooLong(detail: string, about?: string): VerdictFailed {
  const failed = { status: 'failed', reason: 'chain_too_long', detail, untrustedOnly: false } as const;
  return about === undefined ? failed : { ...failed, about };
}
