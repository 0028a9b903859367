import { once } from 'node:events';
import { request } from 'node:https';
import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import { startBackend } from '../support/proxy.ts';
import { serve } from '../support/serve.ts';

const size = 200 * 1024 * 1024;
const chunk = Buffer.alloc(65_536, 'x');

await t.test('200 MB up and down pass with flat memory', async (t) => {
  const root = await createAuthority({ cn: 'Root A' });
  const client = await root.issue({ cn: 'client' });
  const server = await root.issue({ cn: 'server', hosts: ['localhost'], usage: 'server' });
  const backend = await startBackend(t, (incoming, response) => {
    if (incoming.method === 'GET') {
      let sent = 0;
      const more = (): void => {
        while (sent < size) {
          sent += chunk.length;
          if (!response.write(chunk)) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
      return;
    }
    let length = 0;
    incoming.on('data', (part: Buffer) => (length += part.length));
    incoming.on('end', () => response.end(String(length)));
  });
  const program = await serve(
    t,
    `
hosts:
  - names: [localhost]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: root.pem }
    routes: [{ path: /, upstream: backend, bodyLimit: '0' }]
upstreams: { backend: { endpoints: ['${backend.endpoint}'] } }
`,
    { 'root.pem': root.cert, 'server.pem': server.bundle, 'server.key': server.key },
  );
  const common = {
    host: '127.0.0.1',
    port: program.httpsPort,
    servername: 'localhost',
    headers: { host: 'localhost' },
    cert: client.bundle,
    key: client.key,
    ca: root.cert,
    agent: false as const,
  };
  const download = async (): Promise<number> => {
    const outgoing = request(common).end();
    const [response] = await once(outgoing, 'response');
    let length = 0;
    for await (const part of response as AsyncIterable<Buffer>) length += part.length;
    return length;
  };
  const upload = async (framing: Record<string, string>): Promise<number> => {
    const outgoing = request({ ...common, method: 'PUT', headers: { ...common.headers, ...framing } });
    const answered = once(outgoing, 'response');
    for (let sent = 0; sent < size; sent += chunk.length) {
      if (!outgoing.write(chunk)) await once(outgoing, 'drain');
    }
    outgoing.end();
    const [response] = await answered;
    let text = '';
    for await (const part of response as AsyncIterable<Buffer>) text += String(part);
    return Number(text);
  };
  const before = await program.residentBytes();
  let highest = before;
  const watch = setInterval(() => {
    void program.residentBytes().then((bytes) => (highest = Math.max(highest, bytes)));
  }, 100);
  t.teardown(() => clearInterval(watch));
  t.equal(await download(), size, 'down');
  t.equal(await upload({ 'content-length': String(size) }), size, 'up with a length');
  t.equal(await upload({ 'transfer-encoding': 'chunked' }), size, 'up in chunks');
  clearInterval(watch);
  const grown = Math.round((highest - before) / 1024 / 1024);
  t.ok(grown < 100, `memory grew by ${grown} MiB at most, of 600 MiB that passed`);
});
