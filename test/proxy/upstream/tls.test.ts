import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { TlsOptions, TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { UpstreamTls } from '../../../src/snapshot/snapshot.ts';
import { createAuthority, type Issued, selfSigned, writeFiles } from '../../support/pki.ts';
import {
  eachRequest,
  type RawServer,
  rawServer,
  response,
  type Rig,
  rig,
  send,
  usualTls,
} from './support.ts';

const root = await createAuthority({ cn: 'Upstream Root' });
const other = await createAuthority({ cn: 'Other Root' });
const good = await root.issue({ hosts: ['127.0.0.1', 'app.test', 'localhost'], usage: 'server' });

const verified: UpstreamTls = { verify: true, ca: root.cert, ...usualTls };

/** Needs the openssl program; its absence is an error where CI=true. */
const withoutOpenssl =
  spawnSync('openssl', ['version']).error !== undefined && process.env['CI'] !== 'true'
    ? 'no openssl here'
    : false;

interface Served {
  readonly server: RawServer;
  readonly seen: { names: (string | false | null)[]; clients: string[]; alpn: (string | false | null)[] };
}

async function serve(t: Test, leaf: Issued, more: TlsOptions = {}): Promise<Served> {
  const seen: Served['seen'] = { names: [], clients: [], alpn: [] };
  const tls = { cert: leaf.bundle, key: leaf.key, ...more };
  const server = await rawServer(
    t,
    (socket) => {
      const { servername, alpnProtocol } = socket as TLSSocket;
      seen.names.push(servername ?? null);
      seen.alpn.push(alpnProtocol);
      seen.clients.push(String((socket as TLSSocket).getPeerCertificate().subject?.CN));
      eachRequest((socket) => socket.write(response('ok')))(socket);
    },
    { tls },
  );
  return { server, seen };
}

const rigFor = (t: Test, { server }: Served, tls: UpstreamTls): Rig => rig(t, [server.endpoint], { tls });

void t.test('a certificate of the CA for the endpoint\u2019s address is accepted', async (t) => {
  const served = await serve(t, good, { ALPNProtocols: ['h2', 'http/1.1'] });
  const { upstreams } = rigFor(t, served, verified);
  const outcome = await send(upstreams).done;
  t.equal(outcome.failure, null);
  t.equal(outcome.body, 'ok');
  t.same(served.seen.alpn, ['http/1.1'], 'and HTTP/2 not asked for');
  t.same(served.seen.names, [false], 'an address is not sent as a server name');
});

void t.test('a configured server name is sent and verified', async (t) => {
  const served = await serve(t, good);
  t.equal(
    (await send(rigFor(t, served, { ...verified, serverName: 'app.test' }).upstreams).done).failure,
    null,
  );
  t.same(served.seen.names, ['app.test']);
  const wrong = await send(rigFor(t, served, { ...verified, serverName: 'other.test' }).upstreams).done;
  t.equal(wrong.failure?.reason, 'upstream_tls');
  t.match(wrong.failure?.detail, 'ERR_TLS_CERT_ALTNAME_INVALID');
  const address = { ...verified, serverName: '127.0.0.1' };
  t.equal((await send(rigFor(t, served, address).upstreams).done).failure, null, 'an address to verify');
  t.equal(served.seen.names.at(-1), false);
});

void t.test('a name for an endpoint is the server name', async (t) => {
  const served = await serve(t, good);
  const { port } = served.server.endpoint;
  const endpoint = { address: 'localhost', port, name: `localhost:${port}` };
  t.equal((await send(rig(t, [endpoint], { tls: verified }).upstreams).done).failure, null);
  t.same(served.seen.names, ['localhost']);
});

void t.test('nothing is sent to an endpoint whose certificate does not hold', async (t) => {
  const hosts = ['127.0.0.1'];
  const day = 86_400_000;
  const leaves: Record<string, Issued> = {
    'another CA': await other.issue({ hosts, usage: 'server' }),
    'self-signed': await selfSigned({ hosts, usage: 'server' }),
    expired: await root.issue({
      hosts,
      usage: 'server',
      notBefore: Date.now() - 2 * day,
      notAfter: Date.now() - day,
    }),
    'not yet valid': await root.issue({ hosts, usage: 'server', notBefore: Date.now() + day }),
    'another name': await root.issue({ hosts: ['app.test'], usage: 'server' }),
    'no name': await root.issue({ cn: '127.0.0.1', usage: 'server' }),
    'a client\u2019s': await root.issue({ hosts, usage: 'client' }),
  };
  for (const [name, leaf] of Object.entries(leaves)) {
    const served = await serve(t, leaf);
    const got: string[] = [];
    served.server.server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('data', (chunk: Buffer) => got.push(chunk.toString()));
    });
    const { upstreams } = rigFor(t, served, verified);
    const outcome = await send(upstreams).done;
    t.equal(outcome.failure?.reason, 'upstream_tls', `${name}: ${outcome.failure?.detail}`);
    t.same(got, [], name);
    t.equal(upstreams.status()[0]?.failures, 1, name);

    const blind = rigFor(t, served, { ...verified, verify: false });
    t.equal((await send(blind.upstreams).done).failure, null, `${name}, not verified in so many words`);
  }
});

void t.test('a CA that cannot be read sends nothing', async (t) => {
  const served = await serve(t, good);
  for (const ca of ['', 'nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    const outcome = await send(rigFor(t, served, { ...verified, ca }).upstreams).done;
    t.equal(outcome.failure?.reason, 'upstream_tls', JSON.stringify(ca));
  }
  const unknown = await send(rigFor(t, served, { ...verified, ca: null }).upstreams).done;
  t.equal(unknown.failure?.reason, 'upstream_tls', 'the system does not know our CA');
});

void t.test('what does not speak TLS, or not ours, is upstream_tls', async (t) => {
  const plain = await rawServer(
    t,
    eachRequest((socket) => socket.end(response('plain'))),
  );
  const talking = await rawServer(t, (socket) => socket.end('220 hello\r\n'));
  const closing = await rawServer(t, (socket) => socket.once('data', () => socket.resetAndDestroy()));
  const old = await serve(t, good, {
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL:@SECLEVEL=0',
  });
  for (const { endpoint } of [talking, closing, old.server]) {
    const { upstreams } = rig(t, [endpoint], { tls: verified, tries: 1 });
    const outcome = await send(upstreams).done;
    t.equal(outcome.failure?.reason, 'upstream_tls', String(outcome.failure?.detail));
  }
  const { upstreams } = rig(t, [plain.endpoint], { tls: verified });
  const timeouts = { connectMs: 100, sendMs: 100, readMs: 100 };
  const outcome = await send(upstreams, { timeouts }).done;
  t.equal(outcome.failure?.reason, 'upstream_connect_timeout', 'a server that waits for more');
});

void t.test('a client certificate is presented; each upstream has its own', async (t) => {
  const ask = { requestCert: true, rejectUnauthorized: false, ca: root.cert };
  const alice = await root.issue({ cn: 'alice' });
  const bob = await root.issue({ cn: 'bob' });
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const served = await serve(t, good, { ...ask, minVersion: version, maxVersion: version });
    const as = ({ cert, key }: Issued): Rig => rigFor(t, served, { ...verified, cert, key });
    const [a, b, nobody] = [as(alice), as(bob), rigFor(t, served, verified)];
    for (let n = 0; n < 3; n++) {
      for (const { upstreams } of [a, b, nobody]) {
        t.equal(
          (await send(upstreams, { headers: ['Host', 'x', 'Connection', 'close'] }).done).failure,
          null,
        );
      }
    }
    const expected = ['alice', 'bob', 'undefined'];
    t.same(served.seen.clients, [...expected, ...expected, ...expected], version);
  }
});

void t.test('no TLS session is ever resumed: a resumed one would skip the check of the name', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const served = await serve(t, good, { minVersion: version, maxVersion: version });
    const reused: boolean[] = [];
    served.server.server.on('secureConnection', (socket: TLSSocket) => reused.push(socket.isSessionReused()));
    const { upstreams } = rigFor(t, served, verified);
    for (let n = 0; n < 3; n++) await send(upstreams, { headers: ['Host', 'x', 'Connection', 'close'] }).done;
    t.same(reused, [false, false, false], version);
  }
});

void t.test(
  'an upstream that turns our certificate away is upstream_tls',
  { skip: withoutOpenssl },
  async (t) => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      // Node's own server only resets; OpenSSL's says why.
      const port = await sServer(t, version);
      const endpoint = { address: '127.0.0.1', port, name: `127.0.0.1:${port}` };
      const { upstreams } = rig(t, [endpoint], { tls: verified });
      const outcome = await send(upstreams).done;
      t.equal(outcome.failure?.reason, 'upstream_tls', `${version}: ${outcome.failure?.detail}`);
    }
  },
);

/** `openssl s_server` that demands a client certificate; its port. */
async function sServer(t: Test, version: 'TLSv1.2' | 'TLSv1.3'): Promise<number> {
  const files = writeFiles(t.testdir(), {
    'cert.pem': good.bundle,
    'key.pem': good.key,
    'ca.pem': root.cert,
  });
  const child = spawn(
    'openssl',
    [
      's_server',
      '-accept',
      '127.0.0.1:0',
      '-cert',
      files['cert.pem'],
      '-key',
      files['key.pem'],
      '-CAfile',
      files['ca.pem'],
      '-Verify',
      '1',
      '-verify_return_error',
      version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3',
      '-www',
    ],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  t.teardown(() => child.kill());
  let text = '';
  for (;;) {
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    text += chunk.toString();
    const port = /^ACCEPT 127\.0\.0\.1:(\d+)/m.exec(text)?.[1];
    if (port !== undefined) return Number(port);
  }
}

void t.test('versions and cipher suites are those that are configured', async (t) => {
  const old = await serve(t, good, { maxVersion: 'TLSv1.2' });
  const only13 = await send(rigFor(t, old, { ...verified, minVersion: 'TLSv1.3' }).upstreams).done;
  t.equal(only13.failure?.reason, 'upstream_tls');
  const served = await serve(t, good);
  const sockets: TLSSocket[] = [];
  served.server.server.on('secureConnection', (socket: TLSSocket) => sockets.push(socket));
  const name = 'ECDHE-ECDSA-AES256-GCM-SHA384';
  const one: UpstreamTls = {
    ...verified,
    maxVersion: 'TLSv1.2',
    ciphers: [name, 'ECDHE-RSA-AES256-GCM-SHA384'],
  };
  t.equal((await send(rigFor(t, served, one).upstreams).done).failure, null);
  t.equal(sockets[0]?.getProtocol(), 'TLSv1.2');
  t.match(sockets[0]?.getCipher().name, /^ECDHE-(?:ECDSA|RSA)-AES256-GCM-SHA384$/);
});

void t.test('a server name may be verified without being sent', async (t) => {
  const served = await serve(t, good);
  const quiet: UpstreamTls = { ...verified, serverName: 'app.test', sendServerName: false };
  t.equal((await send(rigFor(t, served, quiet).upstreams).done).failure, null);
  t.same(served.seen.names, [false]);
  const wrong = await send(rigFor(t, served, { ...quiet, serverName: 'other.test' }).upstreams).done;
  t.equal(wrong.failure?.reason, 'upstream_tls', 'and it is verified');
});
