import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect as connectTcp, type Server } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { newThrowawayCertificate } from '../tls/throwaway-certificate.ts';
import type { Finding } from './finding.ts';

/** Milliseconds for each trial. */
const timeoutMs = 5000;

/** Something that this very runtime must do, and what is wrong where it does not. */
interface Trial {
  readonly fault: string;
  /** True where the runtime is safe. */
  readonly run: (signal: AbortSignal) => Promise<boolean>;
}

const trials: readonly Trial[] = [
  {
    fault: 'a TLS session resumed without a client certificate is reported as authorised (nodejs/node#35317)',
    run: resumedWithoutCertificate,
  },
  {
    fault: 'a server name in capitals gets the settings of another host (CVE-2026-48928)',
    run: serverNameInCapitals,
  },
  { fault: 'headers past the limit are hidden instead of refused (CVE-2026-58044)', run: tooManyHeaders },
];

/** Tries the runtime on what it is trusted with: real handshakes and requests on the loopback interface. Never rejects. */
export async function selfTest(): Promise<Finding[]> {
  const results = await Promise.all(trials.map((trial) => tried(trial)));
  return results.flatMap((finding) => finding ?? []);
}

async function tried({ fault, run }: Trial): Promise<Finding | null> {
  const fix = 'run it with Node 26.10.0 or later';
  const about = { about: 'runtime', place: null } as const;
  try {
    const safe = await run(AbortSignal.timeout(timeoutMs));
    return safe ? null : { ...about, severity: 'error', message: `self-test: ${fault}`, fix };
  } catch (error) {
    // What cannot be tried is not known to be safe.
    const message = `self-test: could not try whether ${fault}: ${(error as Error).message}`;
    return { ...about, severity: 'warning', message, fix: 'allow connections on 127.0.0.1' };
  }
}

async function listening<Result>(
  server: Server,
  signal: AbortSignal,
  use: (port: number) => Promise<Result>,
): Promise<Result> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening', { signal });
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

async function resumedWithoutCertificate(signal: AbortSignal): Promise<boolean> {
  const { cert, key } = newThrowawayCertificate();
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    socket.resume();
    socket.end('x');
  });
  return listening(server, signal, async (port) => {
    const seen: boolean[] = [];
    let session: Buffer | undefined;
    for (let round = 0; round < 2; round++) {
      const accepted = once(server, 'secureConnection', { signal }) as Promise<[TLSSocket]>;
      const socket = connect({
        host: '127.0.0.1',
        port,
        rejectUnauthorized: false,
        ...(session === undefined ? {} : { session }),
      });
      try {
        if (round === 0) socket.on('session', (ticket: Buffer) => (session = ticket));
        const [near] = await accepted;
        seen.push(near.authorized && near.getPeerX509Certificate() === undefined);
        socket.resume();
        await once(socket, 'end', { signal });
      } finally {
        socket.destroy();
      }
    }
    return seen.length === 2 && !seen.includes(true);
  });
}

async function serverNameInCapitals(signal: AbortSignal): Promise<boolean> {
  const [usual, own] = [newThrowawayCertificate(), newThrowawayCertificate()];
  const server = createServer({ ...usual });
  server.addContext('b.test', own);
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket) => socket.on('error', () => {}));
  return listening(server, signal, async (port) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'B.TEST', rejectUnauthorized: false });
    try {
      await once(socket, 'secureConnect', { signal });
      const certificate = socket.getPeerX509Certificate();
      return certificate !== undefined && certificate.toString().trim() === own.cert.trim();
    } finally {
      socket.destroy();
    }
  });
}

async function tooManyHeaders(signal: AbortSignal): Promise<boolean> {
  let hidden = false;
  const server = createHttpServer({ maxHeaderSize: 1024 * 1024 }, (request, response) => {
    hidden ||= request.headers['content-length'] === undefined;
    response.end();
  });
  return listening(server, signal, async (port) => {
    const socket = connectTcp(port, '127.0.0.1');
    try {
      const lines = Array.from({ length: 2005 }, (_, index) => `X-${index}: 1\r\n`).join('');
      const body = 'hello';
      socket.write(
        `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}Content-Length: 5\r\n\r\n${body}`,
      );
      await once(socket, 'data', { signal });
      return !hidden;
    } finally {
      socket.destroy();
      server.closeAllConnections();
    }
  });
}
