import { randomBytes } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { ClientAuth } from '../snapshot/snapshot.ts';
import { proveChain } from '../tls/chain-proof.ts';
import { TrustStore } from '../tls/trust-store.ts';
import { type Verdict, verdictOf } from '../tls/verdict.ts';
import { refuseDeepChain, sentCertificates } from '../tls/verification.ts';
import { issueCertificate } from './authority.ts';
import { messageOf, PkiError } from './error.ts';
import { keyToPem, makeKey } from './key.ts';
import { attributeOid, encodeName } from './name.ts';
import { toPem } from './pem.ts';
import { day } from './time.ts';

/** What a client certificate is verified against: the part of a host's settings that decides it. */
export type TrustMaterial = Pick<ClientAuth, 'crl' | 'verifyDepth'> & {
  /** PEM of the trust store. */
  readonly ca: string;
};

const uint16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
const uint24 = (value: number): Buffer => Buffer.of(value >> 16, (value >> 8) & 0xff, value & 0xff);
const sized16 = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([uint16(body.byteLength), body]);
};
const sized24 = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([uint24(body.byteLength), body]);
};

/** A handshake message in as many records as it needs (RFC 5246 §6.2.1, §7.4). */
function handshake(type: number, ...parts: readonly Buffer[]): Buffer {
  const message = Buffer.concat([Buffer.of(type), sized24(...parts)]);
  const records: Buffer[] = [];
  for (let start = 0; start < message.byteLength; start += 16_384) {
    records.push(Buffer.of(0x16, 3, 3), sized16(message.subarray(start, start + 16_384)));
  }
  return Buffer.concat(records);
}

/** TLS 1.2, ECDHE-ECDSA-AES128-GCM-SHA256, P-256: what the server below has. */
function clientHello(): Buffer {
  const extensions = sized16(
    uint16(10),
    sized16(sized16(uint16(23))),
    uint16(11),
    sized16(Buffer.of(1, 0)),
    uint16(13),
    sized16(sized16(uint16(0x0403))),
  );
  const noSession = Buffer.of(0);
  const noCompression = Buffer.of(1, 0);
  return handshake(
    1,
    Buffer.of(3, 3),
    randomBytes(32),
    noSession,
    sized16(uint16(0xc02b)),
    noCompression,
    extensions,
  );
}

const serverHelloDone = Buffer.of(14, 0, 0, 0);

async function serverContext(trust: TrustMaterial): Promise<ReturnType<typeof createSecureContext>> {
  const { privateKey } = await makeKey({ algo: 'ecdsa', size: 256 });
  const now = Date.now();
  const { der } = issueCertificate(
    {
      subject: encodeName([[{ oid: attributeOid('CN'), value: 'judge' }]]),
      publicKey: privateKey,
      notBefore: now - day,
      notAfter: now + day,
      keyUsages: ['digital signature'],
    },
    { selfSignedBy: privateKey },
  );
  try {
    return createSecureContext({
      cert: toPem('CERTIFICATE', der),
      key: keyToPem(privateKey),
      ca: trust.ca,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      ...(trust.crl === null ? {} : { crl: trust.crl }),
    });
  } catch (error) {
    throw new PkiError(`the trust store cannot be used: ${messageOf(error)}`);
  }
}

interface TlsHandle {
  verifyError(): (Error & { code: string }) | null;
}

/** Turns of the event loop until OpenSSL must have answered; it answers within a few. */
const maxTurns = 10_000;

/**
 * The verdict OpenSSL gives on a client's chain (leaf first, DER), by the handshake itself: in memory, up to and with
 * the client's Certificate message, which TLS 1.2 verifies before the client proves that it has the key. So this needs
 * no key and follows every rule the proxy's own handshakes follow. Throws PkiError at a chain that does not get so far.
 */
export async function judgeChain(chain: readonly Uint8Array[], trust: TrustMaterial): Promise<Verdict> {
  const secureContext = await serverContext(trust);
  const [near, far] = duplexPair();
  const socket = new TLSSocket(far, {
    isServer: true,
    secureContext,
    requestCert: true,
    rejectUnauthorized: false,
  });
  let failure: Error | null = null;
  const fail = (error: Error): void => {
    failure ??= error;
  };
  socket.on('error', fail);
  socket.on('_tlsError', fail);
  near.on('error', fail);
  try {
    let received = Buffer.alloc(0);
    let sent = false;
    near.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (sent || !received.includes(serverHelloDone)) return;
      sent = true;
      near.write(handshake(11, sized24(...chain.map((der) => sized24(Buffer.from(der))))));
    });
    near.write(clientHello());
    for (let turns = 0; socket.getPeerX509Certificate() === undefined; turns++) {
      if (failure !== null) throw refused(failure);
      if (turns === maxTurns) throw new PkiError('the handshake did not get as far as the certificate');
      await turn();
    }
    // Only with a peer certificate there: without one, this call ends Node 26.10 with a segmentation fault.
    const error = (socket as unknown as { _handle: TlsHandle })._handle.verifyError();
    const verdict = verdictOf({
      requested: true,
      certificatePresent: true,
      authorized: error === null,
      authorizationError: error === null ? null : error.code,
      errorText: error === null ? null : error.message,
    });
    if (verdict.status !== 'success') return verdict;
    const proof = proveChain(sentCertificates(socket), new TrustStore(trust.ca, trust.crl), Date.now());
    return refuseDeepChain(proof, trust.verifyDepth) ?? verdict;
  } finally {
    socket.destroy();
    near.destroy();
  }
}

function refused(error: Error): PkiError {
  const { reason } = error as Error & { reason?: string };
  return new PkiError(`the handshake refuses the certificate: ${reason ?? error.message}`);
}
