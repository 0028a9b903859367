import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import t from 'tap';
import { exchange, openTcp, openTls, type ClientCertificate } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend } from '../support/proxy.ts';
import { serve } from '../support/serve.ts';

const handshakes = 20_000;
const settled = 2_000;
const together = 20;
const day = 86_400_000;

await t.test(
  '20,000 handshakes, half of them failing in every way, leave no memory and no descriptor',
  { timeout: 600_000 },
  async (t) => {
    const root = await createAuthority({ cn: 'Root A' });
    const foreign = await createAuthority({ cn: 'Root X' });
    const server = await root.issue({ cn: 'server', hosts: ['localhost', 'strict.test'], usage: 'server' });
    const good = await root.issue({ ou: 'ITOps', cn: 'good' });
    const bad: readonly (ClientCertificate | null)[] = [
      null,
      await root.issue({ cn: 'expired', notBefore: Date.now() - 9 * day, notAfter: Date.now() - day }),
      await root.issue({ cn: 'purpose', usage: 'server' }),
      await foreign.issue({ ou: 'ITOps', cn: 'foreign' }),
    ];
    const backend = await startBackend(t);
    const host = (name: string, strict: boolean): string => `
  - names: [${name}]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, strict: ${strict}, ca: root.pem }
    routes: [{ path: /, upstream: backend, policy: { ou: ITOps } }]`;
    const program = await serve(
      t,
      `
hosts:${host('localhost', false)}${host('strict.test', true)}
upstreams: { backend: { endpoints: ['${backend.endpoint}'] } }
limits: { handshakeTimeout: 2s }
accessLog: false
`,
      { 'root.pem': root.cert, 'server.pem': server.bundle, 'server.key': server.key },
      // A small heap: what grows is a leak, not room that V8 takes because it may.
      ['--max-old-space-size=64', '--max-semi-space-size=4'],
    );
    const port = program.httpsPort;
    const ask = async (certificate: ClientCertificate | null, serverName: string): Promise<void> => {
      const version = Math.random() < 0.5 ? ('TLSv1.2' as const) : ('TLSv1.3' as const);
      const socket = await openTls({ port, certificate, serverName, version });
      await exchange(socket, `GET / HTTP/1.1\r\nHost: ${serverName}\r\nConnection: close\r\n\r\n`);
    };
    const ways: readonly (() => Promise<unknown>)[] = [
      ...bad.flatMap((certificate) =>
        ['localhost', 'strict.test'].map((name) => () => ask(certificate, name)),
      ),
      () => ask(good, 'nobody.test'),
      () => openTls({ port, tls: { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' } }),
      () => exchange(openTcp(port), Buffer.from('160301000501000001ff', 'hex')),
      () => exchange(openTcp(port), 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
      async () => {
        const socket = openTcp(port);
        await once(socket, 'connect');
        socket.write(Buffer.from('1603010200010001', 'hex'));
        socket.destroy();
      },
      async () => {
        const socket = openTcp(port);
        await once(socket, 'connect');
        socket.resetAndDestroy();
      },
    ];
    const one = (index: number): Promise<unknown> =>
      (index % 2 === 0 ? ask(good, 'localhost') : ways[((index - 1) / 2) % ways.length]!()).catch(() => {});
    const descriptors = (): number => readdirSync(`/proc/${program.child.pid}/fd`).length;
    const measure = async (): Promise<{ descriptors: number; mebibytes: number }> => {
      // Connections that linger are given up within the time that the program gives them.
      while (Number(/^mtls_open_connections\{listener="https"\} (\S+)$/m.exec(await metrics())?.[1]) > 0);
      return { descriptors: descriptors(), mebibytes: (await program.residentBytes()) / 1024 / 1024 };
    };
    const metrics = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${program.adminPort}/metrics`)).text();
    let index = 0;
    const runTo = async (end: number): Promise<void> => {
      const worker = async (): Promise<void> => {
        while (index < end) await one(index++);
      };
      await Promise.all(Array.from({ length: together }, worker));
    };
    await runTo(settled);
    const before = await measure();
    await runTo(handshakes);
    const after = await measure();
    t.comment(JSON.stringify({ before, after }));
    t.ok(
      after.descriptors <= before.descriptors + 5,
      `descriptors: ${before.descriptors}, then ${after.descriptors}`,
    );
    t.ok(after.mebibytes < before.mebibytes + 25, `MiB: ${before.mebibytes}, then ${after.mebibytes}`);
  },
);
