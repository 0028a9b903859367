import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeResponse, type ResponseOptions } from '../tls/ocsp/respond.ts';
import { freePort } from './free-port.ts';
import { type Issued, keyFromPem, type TestAuthority, writeFiles } from './pki.ts';

interface Test {
  teardown(handler: () => unknown): void;
  testdir(files: Record<string, never>): string;
}

/** An HTTP server on a port of its own, and how often it was asked. */
export interface Responder {
  readonly url: URL;
  readonly asked: () => number;
}

export async function startResponder(
  t: Pick<Test, 'teardown'>,
  listener: RequestListener,
): Promise<Responder> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://127.0.0.1:${port}/`), asked: () => asked };
}

type Answer = Pick<ResponseOptions, 'status' | 'nextUpdate'>;

/** Answers as the CA, for each certificate as `answerFor` says when it is asked. */
export function answering(
  ca: TestAuthority,
  certificates: readonly Issued[],
  answerFor: (one: Issued) => Answer,
): RequestListener {
  const signer = { der: ca.der, key: keyFromPem(ca.key) };
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = certificates.find(({ serial }) => Buffer.concat(chunks).includes(serial, 0, 'hex'));
      if (one === undefined) response.writeHead(500).end();
      else response.end(makeResponse({ leaf: one.der, issuer: ca.der, signer, ...answerFor(one) }));
    });
  };
}

/** openssl's certificate database: valid ones and revoked ones. */
export function indexOf(of: { readonly V: readonly Issued[]; readonly R: readonly Issued[] }): string {
  const line = (status: 'V' | 'R', { serial }: Issued): string => {
    const revoked = status === 'R' ? '260101000000Z' : '';
    return `${[status, '360101000000Z', revoked, serial, 'unknown', `/CN=${serial}`].join('\t')}\n`;
  };
  return [...of.V.map((one) => line('V', one)), ...of.R.map((one) => line('R', one))].join('');
}

/** `openssl ocsp` as the responder of a CA, signing as the CA or as another; stopped with the test. */
export async function startOpenssl(
  t: Test,
  ca: TestAuthority,
  signer: { readonly cert: string; readonly key: string },
  index: string,
): Promise<{
  readonly url: URL;
  /** Path of its database, read again when it changes. */
  readonly index: string;
}> {
  const files = writeFiles(t.testdir({}), { index, ca: ca.cert, cert: signer.cert, key: signer.key });
  const port = await freePort();
  const { index: file, ca: caFile, cert, key } = files;
  const child = spawn(
    'openssl',
    [
      'ocsp',
      '-index',
      file,
      '-CA',
      caFile,
      '-rsigner',
      cert,
      '-rkey',
      key,
      '-port',
      String(port),
      '-ndays',
      '1',
      '-ignore_err',
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  t.teardown(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  let said = '';
  for await (const chunk of child.stdout) {
    said += String(chunk);
    if (/ACCEPT/.test(said)) break;
  }
  if (!/ACCEPT/.test(said)) throw new Error('openssl ocsp ended');
  return { url: new URL(`http://127.0.0.1:${port}/`), index: file };
}
