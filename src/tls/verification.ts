import type { TLSSocket } from 'node:tls';
import type { ClientAuthMode } from '../config/schema.ts';
import type { ClientAuth } from '../snapshot/snapshot.ts';
import { verdictOf, type Verdict, type VerdictFailed } from './verdict.ts';

/** What OpenSSL said of the client's certificate, read off a socket whose handshake is over. */
export function verdictOfSocket(socket: TLSSocket, requested: boolean): Verdict {
  return verdict(socket, requested, socket.getPeerX509Certificate() !== undefined, errorText(socket));
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
 * Asked of a handle whose handshake was aborted, it crashes Node 26 (measured): there it is never asked.
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
 * Counts the intermediates of the chain that OpenSSL built and refuses more than `verifyDepth` of them.
 * nginx's ssl_verify_depth, which Node does not offer: since OpenSSL 1.1 it counts neither leaf nor anchor.
 * A chain that cannot be followed to its anchor is refused as well (Node 24 hides intermediates).
 */
export function refuseDeepChain(socket: TLSSocket, clientAuth: ClientAuth): VerdictFailed | null {
  let certificates = 1;
  let certificate = socket.getPeerCertificate(true);
  const limit = clientAuth.verifyDepth + 2;
  while (certificates <= limit) {
    const issuer = certificate.issuerCertificate as typeof certificate | undefined;
    if (issuer === undefined)
      return tooLong('the chain cannot be followed to a trust anchor on this runtime');
    if (issuer === certificate || issuer.fingerprint256 === certificate.fingerprint256) {
      return null;
    }
    certificates++;
    certificate = issuer;
  }
  return tooLong('certificate chain too long');
}

function tooLong(detail: string): VerdictFailed {
  return { status: 'failed', reason: 'chain_too_long', detail, untrustedOnly: false };
}
