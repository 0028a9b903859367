import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { ApiClient, type ApiClientOptions } from '../../../src/ingress/kubernetes/api-client.ts';
import { Credentials } from '../../../src/ingress/kubernetes/credentials.ts';
import { createAuthority, type TestAuthority } from '../../support/pki.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** What a real API server cannot be made to do: answers as the test says. HTTP/1.1 over TLS. */
export interface FakeServer {
  readonly server: string;
  readonly authority: TestAuthority;
  /** Every request so far: method and URL. */
  readonly seen: readonly string[];
  /** Path of a kubeconfig whose user has this token. */
  readonly kubeconfig: (token?: string, name?: string) => string;
  readonly client: (options?: ApiClientOptions) => ApiClient;
}

export async function startFakeServer(t: Test, answer: Answer): Promise<FakeServer> {
  const authority = await createAuthority({ cn: 'fake cluster' });
  const { cert, key } = await authority.issue({ cn: 'fake', hosts: ['127.0.0.1'], usage: 'server' });
  const dir = t.testdir({});
  const seen: string[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clients: ApiClient[] = [];
  t.teardown(async () => {
    for (const client of clients) await client.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = (token = 'secret-token', name = 'config'): string => {
    const file = join(dir, name);
    writeFileSync(
      file,
      JSON.stringify({
        clusters: [
          {
            name: 'fake',
            cluster: {
              server: url,
              'certificate-authority-data': Buffer.from(authority.cert).toString('base64'),
            },
          },
        ],
        users: [{ name: 'us', user: { token } }],
        contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'us' } }],
        'current-context': 'fake',
      }),
    );
    return file;
  };
  return {
    server: url,
    authority,
    seen,
    kubeconfig,
    client(options = {}) {
      const client = new ApiClient(new Credentials({ kubeconfig: kubeconfig() }), options);
      clients.push(client);
      return client;
    },
  };
}

/** Answers with JSON. */
export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
