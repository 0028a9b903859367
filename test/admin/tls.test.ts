import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { Config } from '../../src/config/schema.ts';
import { exchange, openTls, parseAnswer, type RawAnswer, request } from '../support/client.ts';
import { createAuthority, selfSigned } from '../support/pki.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';

const authority = await createAuthority({ cn: 'Operators CA' });
const others = await createAuthority({ cn: 'Others CA' });
const server = await authority.issue({ cn: 'admin', usage: 'server', hosts: ['localhost'] });
const reader = await authority.issue({ cn: 'rita', ou: 'Operations' });
const changer = await authority.issue({ cn: 'oncall-7', ou: 'Operations' });
const sales = await authority.issue({ cn: 'sam', ou: 'Sales' });
const stranger = await others.issue({ cn: 'oncall-8', ou: 'Operations' });
const expired = await authority.issue({
  cn: 'oncall-9',
  ou: 'Operations',
  notBefore: Date.now() - 2 * 86_400_000,
  notAfter: Date.now() - 86_400_000,
});
const token = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

type AdminConfig = NonNullable<Config['listeners']['admin']>;

const usual: AdminConfig = {
  address: '127.0.0.1',
  port: 0,
  certificate: { cert: 'server.pem', key: 'server.key' },
  clientAuth: { ca: 'operators.pem' },
  reading: { policy: { ou: 'Operations' }, token: 'tokens' },
  changing: { policy: { cn: 'oncall-*' } },
};

const material = {
  'server.pem': server.bundle,
  'server.key': server.key,
  'operators.pem': authority.cert,
  tokens: `prometheus:${token}\n`,
};

const configOf = (changes: Partial<AdminConfig>, more: Partial<Config> = {}): Config => ({
  listeners: {
    https: { address: '127.0.0.1', port: 0 },
    admin: { ...usual, ...changes },
  },
  hosts: [
    {
      names: ['a.test'],
      certificate: { cert: 'server.pem', key: 'server.key' },
      routes: [{ path: '/', respond: { status: 200 } }],
    },
  ],
  upstreams: {},
  ...more,
});

interface Started extends Proxy {
  ask(path: string, options?: Partial<Parameters<typeof request>[0]>): Promise<RawAnswer>;
}

async function start(t: Test, changes: Partial<AdminConfig> = {}, files = {}): Promise<Started> {
  const proxy = await startProxy(t, configOf(changes), { ...material, ...files });
  const { port } = proxy.addresses.admin;
  return { ...proxy, ask: (path, options) => request({ port, host: `localhost:${port}`, path, ...options }) };
}

const changesOf = ({ log }: Proxy) => log.filter(({ message }) => message === 'admin change');
const refusalsOf = ({ log }: Proxy) => log.filter(({ message }) => message === 'admin call refused');

void t.test(
  'a certificate is let in by the policy for what it wants to do, and the log says whose',
  async (t) => {
    const proxy = await start(t);
    t.match(await proxy.ask('/status', { certificate: reader }), { status: 200 });
    t.match(await proxy.ask('/reload', { method: 'POST', certificate: reader }), {
      status: 403,
      body: 'client certificate unauthorized\n',
    });
    t.match(refusalsOf(proxy).at(-1), {
      by: /^certificate [0-9a-f]{64} CN=rita,OU=Operations$/,
      detail: /policy_cn: CN was `rita`/,
    });
    t.match(await proxy.ask('/reload', { method: 'POST', certificate: changer }), { status: 200 });
    t.match(changesOf(proxy), [{ by: /^certificate [0-9a-f]{64} CN=oncall-7,OU=Operations$/, status: 200 }]);
  },
);

void t.test('no certificate, one of strangers, an expired one and the wrong OU get in nowhere', async (t) => {
  const self = await selfSigned({ cn: 'oncall-1', ou: 'Operations' });
  const cases = [
    { name: 'none', certificate: null, status: 401, by: 'unknown' },
    { name: 'stranger', certificate: stranger, status: 401, by: /^unverified certificate .*CN=oncall-8/ },
    { name: 'self-signed', certificate: self, status: 401, by: /^unverified / },
    { name: 'expired', certificate: expired, status: 401, by: /^unverified / },
    { name: 'wrong OU', certificate: sales, status: 403, by: /^certificate .*CN=sam/ },
  ] as const;
  for (const { name, certificate, status, by } of cases) {
    // The log has ten such lines a second.
    const proxy = await start(t);
    for (const path of ['/status', '/metrics']) {
      t.match(await proxy.ask(path, { certificate }), { status }, `${name} ${path}`);
    }
    t.match(refusalsOf(proxy).at(-1), { by }, name);
    const reload = await proxy.ask('/reload', { method: 'POST', certificate });
    t.ok([401, 403].includes(reload.status), name);
    t.match(await proxy.ask('/healthz', { certificate }), { status: 200 }, `${name} may still probe`);
    t.same(changesOf(proxy), []);
  }
});

void t.test(
  'a token is as good as a certificate for what it is for, with a bad certificate too',
  async (t) => {
    const proxy = await start(t);
    const headers = [`authorization: Bearer ${token}`];
    t.match(await proxy.ask('/metrics', { headers }), { status: 200 });
    t.match(await proxy.ask('/metrics', { headers, certificate: stranger }), { status: 200 });
    t.match(await proxy.ask('/reload', { method: 'POST', headers }), { status: 401 });
  },
);

void t.test('a page of another site does not use the certificate of whoever opens it', async (t) => {
  const proxy = await start(t);
  const at = `localhost:${proxy.addresses.admin.port}`;
  const reload = (...headers: string[]) =>
    proxy.ask('/reload', { method: 'POST', certificate: changer, headers });
  t.match(await reload('origin: https://evil.test'), { status: 403 });
  t.match(await reload(`origin: http://${at}`), { status: 403 }, 'plain HTTP is another origin');
  t.match(await reload('sec-fetch-site: cross-site'), { status: 403 });
  t.match(await reload(`origin: https://${at}`, 'sec-fetch-site: same-origin'), { status: 200 });
});

/** Asks on a connection that stays open. */
async function askOn(socket: TLSSocket, path: string, method = 'GET'): Promise<RawAnswer> {
  let raw = '';
  const over = new Promise<void>((resolve) => {
    const read = (chunk: Buffer): void => {
      raw += chunk.toString('latin1');
      const { headers, body } = parseAnswer(raw);
      if (!raw.includes('\r\n\r\n') || body.length < Number(headers['content-length'])) return;
      socket.off('data', read);
      resolve();
    };
    socket.on('data', read);
  });
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  await over;
  return parseAnswer(raw);
}

void t.test(
  'who is revoked, denied or no longer meant is refused on the connection that is open',
  async (t) => {
    const listed = { crl: 'operators.crl' };
    const cases: {
      name: string;
      admin?: Partial<AdminConfig>;
      more?: Partial<Config>;
      files?: object;
      status: number;
    }[] = [
      {
        name: 'revoked',
        admin: { clientAuth: { ca: 'operators.pem', ...listed } },
        files: { 'operators.crl': authority.crl({ revoked: [reader] }) },
        status: 401,
      },
      { name: 'policy', admin: { reading: { policy: { ou: 'Sales' } } }, status: 403 },
      {
        name: 'deny list',
        more: { denyList: 'deny.yaml' },
        files: { 'deny.yaml': `- { serial: '${reader.serial}' }\n` },
        status: 403,
      },
      {
        name: 'another CA',
        admin: { clientAuth: { ca: 'others.pem' } },
        files: { 'others.pem': others.cert },
        status: 401,
      },
      { name: 'off', admin: { reading: 'off', changing: 'off' }, status: 403 },
    ];
    for (const { name, admin = {}, more = {}, files = {}, status } of cases) {
      const first = { clientAuth: { ca: 'operators.pem', ...listed } };
      const before = { 'operators.crl': authority.crl() };
      const proxy = await start(t, first, before);
      const { port } = proxy.addresses.admin;
      const socket = await openTls({ port, certificate: reader });
      t.match(await askOn(socket, '/status'), { status: 200 }, name);
      proxy.source.set(configOf({ ...first, ...admin }, more), { ...material, ...before, ...files });
      t.same(await proxy.app.reload(), [], name);
      t.match(await askOn(socket, '/status'), { status }, name);
      socket.destroy();
    }
  },
);

void t.test('a certificate that does not load keeps the configuration that is in force', async (t) => {
  const proxy = await start(t);
  const before = proxy.app.snapshot.version;
  proxy.source.set(configOf({}), { ...material, 'server.key': reader.key });
  t.match(await proxy.app.reload(), [/key/i]);
  t.equal(proxy.app.snapshot.version, before);
  t.match(await proxy.ask('/status', { certificate: reader }), { status: 200 });
  proxy.source.set(configOf({}), { ...material, tokens: 'short' });
  t.match(await proxy.app.reload(), [/128 bits/]);
  t.match(await proxy.ask('/metrics', { headers: [`authorization: Bearer ${token}`] }), { status: 200 });
});

void t.test('a new certificate of its own is shown to the next connection', async (t) => {
  const proxy = await start(t);
  const { port } = proxy.addresses.admin;
  const shown = async (): Promise<string> => {
    const socket = await openTls({ port });
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  t.equal(BigInt(`0x${await shown()}`), BigInt(`0x${server.serial}`));
  const next = await authority.issue({ cn: 'admin', usage: 'server', hosts: ['localhost'] });
  proxy.source.set(configOf({}), { ...material, 'server.pem': next.bundle, 'server.key': next.key });
  t.same(await proxy.app.reload(), []);
  t.equal(BigInt(`0x${await shown()}`), BigInt(`0x${next.serial}`));
});

void t.test('sessions are not resumed, so a ticket is worth nothing', async (t) => {
  const proxy = await start(t);
  const { port } = proxy.addresses.admin;
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await openTls({ port, certificate: reader, version });
    let session: Buffer | undefined = first.getSession();
    first.on('session', (given: Buffer) => (session = given));
    t.match(await askOn(first, '/status'), { status: 200 });
    first.destroy();
    const second = connectTls({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
      ...(session === undefined ? {} : { session }),
    });
    await once(second, 'secureConnect');
    t.notOk(second.isSessionReused(), version);
    t.match(await askOn(second, '/status'), { status: 401 }, version);
    second.destroy();
  }
});

void t.test('plain HTTP on it is told so, and noise is cut off', async (t) => {
  const proxy = await start(t);
  const { port } = proxy.addresses.admin;
  const open = (): Socket => connect(port, '127.0.0.1');
  t.match(parseAnswer(await exchange(open(), 'GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n')), {
    status: 400,
    body: 'this listener speaks https\n',
  });
  t.equal(await exchange(open(), '\x00\x01\x02'), '');
  t.match(await proxy.ask('/healthz'), { status: 200 });
});

void t.test('connections of one address are bounded, and those in their handshake more so', async (t) => {
  const proxy = await start(t);
  const { port } = proxy.addresses.admin;
  const idle = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'));
  const closed = new Promise<void>((resolve) => {
    let count = 0;
    for (const socket of idle) {
      socket.on('error', () => {});
      socket.on('close', () => {
        if (++count === 32) resolve();
      });
    }
  });
  await closed;
  t.equal(idle.filter((socket) => !socket.destroyed).length, 8, 'handshakes of one address');
  for (const socket of idle) socket.destroy();
});

void t.test('sockets that were bound elsewhere stay closed to all when a reload says loopback', async (t) => {
  const proxy = await startProxy(
    t,
    configOf({ address: '0.0.0.0', reading: { policy: { ou: 'Operations' } } }),
    material,
  );
  const { port } = proxy.addresses.admin;
  const ask = (path: string) => request({ port, host: 'localhost', path });
  t.match(await ask('/status'), { status: 401 });
  const open: Config = configOf({});
  proxy.source.set(
    {
      ...open,
      listeners: { ...open.listeners, admin: { address: '127.0.0.1', port: 0, changing: { local: true } } },
    },
    material,
  );
  t.same(await proxy.app.reload(), []);
  t.match(await ask('/status'), { status: 403 });
  t.match(await ask('/healthz'), { status: 200 });
});
