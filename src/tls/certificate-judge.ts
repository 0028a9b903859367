import { randomBytes } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { throwawayCertificate } from './throwaway-certificate.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** OpenSSL does not get as far as a verdict on a chain: it cannot be read, or TLS does not take it. */
export class UnjudgedChain extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnjudgedChain';
  }
}

/**
 * What verifies chains against exactly one trust store.
 * @throws Error where OpenSSL does not take the CAs or CRLs.
 */
export function judgingContext({
  ca,
  crl,
}: {
  readonly ca: string | string[];
  /** PEM: OpenSSL then wants a current one of every CA in the chain. */
  readonly crl: string | null;
}): SecureContext {
  return createSecureContext({
    ...throwawayCertificate(),
    ca,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    ...(crl === null ? {} : { crl }),
  });
}

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

interface TlsHandle {
  verifyError(): (Error & { code: string }) | null;
}

/** Turns of the event loop until OpenSSL must have answered; it answers within ten. */
const maxTurns = 1000;

/**
 * The verdict of OpenSSL on a client's chain (leaf first, DER), by the handshake itself: in memory, up to and with the
 * client's Certificate message, which TLS 1.2 verifies before the client proves that it has the key. So this needs no
 * key and follows every rule of a handshake: validity, purpose, name constraints, path lengths, CRLs. It does not know
 * of `Trust.verifyDepth`. Takes some 0.5 ms of CPU with P-256.
 *
 * @throws UnjudgedChain
 */
export async function judgeChainAgainst(
  chain: readonly Uint8Array[],
  secureContext: SecureContext,
): Promise<Verdict> {
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
      if (sent) return;
      received = Buffer.concat([received, chunk]);
      if (!received.includes(serverHelloDone)) return;
      sent = true;
      near.write(handshake(11, sized24(...chain.map((der) => sized24(Buffer.from(der))))));
    });
    near.write(clientHello());
    for (let turns = 0; socket.getPeerX509Certificate() === undefined; turns++) {
      if (failure !== null) throw refused(failure);
      if (turns === maxTurns) throw new UnjudgedChain('the handshake did not get as far as the certificate');
      await turn();
    }
    // Only with a peer certificate there: without one, this call ends Node 26.10 with a segmentation fault.
    const error = (socket as unknown as { _handle: TlsHandle })._handle.verifyError();
    return verdictOf({
      requested: true,
      certificatePresent: true,
      authorized: error === null,
      authorizationError: error === null ? null : error.code,
      errorText: error === null ? null : error.message,
    });
  } finally {
    socket.destroy();
    near.destroy();
  }
}

function refused(error: Error): UnjudgedChain {
  const { reason } = error as Error & { reason?: string };
  return new UnjudgedChain(`the handshake refuses the certificate: ${reason ?? error.message}`);
}
