import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { answering, startOpenssl, startResponder, indexOf } from '../support/ocsp.ts';
import { createAuthority, type Issued, keyFromPem } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { completeConfig, type Proxy, startBackend, startProxy } from '../support/proxy.ts';
import { accessTo, makeResponse, stapleWanted } from '../tls/ocsp/respond.ts';

const run = promisify(execFile);
const ca = await createAuthority({ cn: 'CA' });
const client = await ca.issue({ cn: 'client' });
const hour = 3_600_000;
const signer = { der: ca.der, key: keyFromPem(ca.key) };

function certificateFor(url: URL, ...more: { oid: string; value: Buffer }[]): Promise<Issued> {
  const extensions = [{ oid: '1.3.6.1.5.5.7.1.1', value: accessTo(url.href) }, ...more];
  return ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server', extensions });
}

interface Stapled {
  readonly stapling?: boolean;
  readonly ocspResponse?: string;
}

function config(endpoint: string, stapled: Stapled) {
  return completeConfig({
    hosts: [
      {
        names: ['a.test'],
        certificate: { cert: 'server.pem', key: 'server.key', ...stapled },
        routes: [{ path: '/', upstream: 'backend' }],
      },
    ],
    upstreams: { backend: { endpoints: [endpoint] } },
  });
}

const materialOf = (server: Issued, more: Record<string, string> = {}) => ({
  'server.pem': server.cert + ca.cert,
  'server.key': server.key,
  ...more,
});

async function start(t: Test, server: Issued, stapled: Stapled, more: Record<string, string> = {}) {
  const backend = await startBackend(t);
  const material = materialOf(server, more);
  return {
    ...(await startProxy(t, config(backend.endpoint, stapled), material)),
    endpoint: backend.endpoint,
  };
}

/** What a handshake staples. */
async function staple({ port }: Pick<Proxy, 'port'>): Promise<Buffer | null> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'a.test', ca: ca.cert, requestOCSP: true });
  let response: Buffer | null = null;
  socket.on('OCSPResponse', (der: Buffer | null) => (response = der));
  await once(socket, 'secureConnect');
  socket.destroy();
  return response;
}

/** Shakes hands until what is stapled fits. */
async function stapleThat(proxy: Proxy, fits: (response: Buffer | null) => boolean): Promise<Buffer | null> {
  for (;;) {
    const response = await staple(proxy);
    if (fits(response)) return response;
  }
}

const warnings = ({ log }: Pick<Proxy, 'log'>) =>
  log.filter(({ message }) => message === 'no OCSP response is stapled').map(({ detail }) => String(detail));

async function warning(proxy: Proxy): Promise<string> {
  while (warnings(proxy).length === 0) await staple(proxy);
  return warnings(proxy)[0]!;
}

await t.test('s_client sees what is stapled as good', needs('openssl', 'version'), async (t) => {
  const server = await certificateFor(new URL('http://127.0.0.1:1/'));
  const { url } = await startOpenssl(t, ca, ca, indexOf({ V: [server], R: [] }));
  const named = await ca.issue({
    cn: 'server',
    hosts: ['a.test'],
    usage: 'server',
    serial: Buffer.from(server.serial, 'hex'),
    extensions: [{ oid: '1.3.6.1.5.5.7.1.1', value: accessTo(url.href) }],
  });
  const proxy = await start(t, named, { stapling: true });
  await stapleThat(proxy, (response) => response !== null);
  for (const version of ['-tls1_2', '-tls1_3']) {
    const args = [
      's_client',
      '-connect',
      `127.0.0.1:${proxy.port}`,
      '-servername',
      'a.test',
      '-status',
      version,
    ];
    const child = run('openssl', args, { timeout: 20_000 });
    child.child.stdin!.end();
    const { stdout } = await child;
    t.match(stdout, /OCSP Response Status: successful/, version);
    t.match(stdout, /Cert Status: good/, version);
  }
  const until = /^mtls_ocsp_staple_next_update_seconds\{host="a.test"\} (\S+)$/m.exec(
    await proxy.metrics(),
  )?.[1];
  t.ok(
    Math.abs(Number(until) * 1000 - Date.now() - 24 * hour) < 60_000,
    'as long as the responder said: a day',
  );
});

await t.test(
  'a responder is asked in the background, once for all handshakes, and over reloads',
  async (t) => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const issued: Issued[] = [];
    const respond = answering(ca, issued, () => ({}));
    const responder = await startResponder(t, (request, response) => {
      asked.resolve();
      void answer.promise.then(() => respond(request, response));
    });
    const server = await certificateFor(responder.url);
    issued.push(server);
    const proxy = await start(t, server, { stapling: true });
    await asked.promise;
    t.equal(await staple(proxy), null, 'a handshake does not wait for it');
    answer.resolve();
    await stapleThat(proxy, (response) => response !== null);
    proxy.source.set(config(proxy.endpoint, { stapling: true }), materialOf(server));
    await proxy.app.reload();
    t.ok(await staple(proxy));
    t.equal(responder.asked(), 1);
  },
);

await t.test('it is renewed at half of its time, and dropped when it ends without another', async (t) => {
  let [down, issued] = [false, [] as Issued[]];
  const respond = (...args: Parameters<ReturnType<typeof answering>>) =>
    answering(ca, issued, () => ({ nextUpdate: Date.now() + 3000 }))(...args);
  const responder = await startResponder(t, (request, response) => {
    if (down) response.writeHead(503).end();
    else respond(request, response);
  });
  const server = await certificateFor(responder.url);
  issued = [server];
  const proxy = await start(t, server, { stapling: true });
  const first = await stapleThat(proxy, (response) => response !== null);
  const second = await stapleThat(proxy, (response) => response === null || !response.equals(first!));
  t.ok(second, 'without a gap');
  down = true;
  t.equal(await stapleThat(proxy, (response) => response === null), null);
  t.ok(
    proxy.log.some(({ message }) => message === 'the staple is not renewed'),
    'and the failure is told',
  );
});

const answers = {
  'is revoked': [{ status: 'revoked' }, /is revoked/],
  'is unknown': [{ status: 'unknown' }, /is unknown/],
  'is out of date': [{ thisUpdate: Date.now() - 2 * hour, nextUpdate: Date.now() - hour }, /out of date/],
  'is of tomorrow': [{ thisUpdate: Date.now() + 24 * hour }, /dated in the future/],
  'is about another': [{ leaf: client.der }, /another certificate/],
} as const;
for (const [name, [how, detail]] of Object.entries(answers)) {
  await t.test(`an answer that ${name} is not stapled, and told of, from a file as well`, async (t) => {
    let server: Issued | null = null;
    const make = (): Buffer => makeResponse({ leaf: server!.der, issuer: ca.der, signer, ...how });
    const responder = await startResponder(t, (_, response) => response.end(make()));
    server = await certificateFor(responder.url);
    const fetched = await start(t, server, { stapling: true });
    t.match(await warning(fetched), detail);
    t.equal(await staple(fetched), null);
    const response = { 'staple.der': make().toString('latin1') };
    const filed = await start(t, server, { ocspResponse: 'staple.der' }, response);
    t.match(await warning(filed), detail);
    t.equal(await staple(filed), null);
    t.match(await filed.metrics(), /^mtls_ocsp_staple_next_update_seconds\{host="a.test"\} 0$/m);
  });
}

await t.test('a file is stapled as it is, and its replacement from the next reload on', async (t) => {
  const server = await certificateFor(new URL('http://127.0.0.1:1/'));
  const make = (nextUpdate: number): Buffer =>
    makeResponse({ leaf: server.der, issuer: ca.der, signer, nextUpdate });
  const [one, two] = [make(Date.now() + hour), make(Date.now() + 2 * hour)];
  const stapled = { ocspResponse: 'staple.der' };
  const proxy = await start(t, server, stapled, { 'staple.der': one.toString('latin1') });
  t.same(await stapleThat(proxy, (response) => response !== null), one);
  const material = materialOf(server, { 'staple.der': two.toString('latin1') });
  proxy.source.set(config(proxy.endpoint, stapled), material);
  await proxy.app.reload();
  t.same(await stapleThat(proxy, (response) => response?.equals(two) === true), two);
});

await t.test('a certificate that demands a staple and has none is told of', async (t) => {
  const demands = { oid: '1.3.6.1.5.5.7.1.24', value: stapleWanted };
  const server = await certificateFor(new URL('http://127.0.0.1:1/'), demands);
  t.match(warnings(await start(t, server, {})), [/stapling is off; .*must-staple/]);
  t.match(await warning(await start(t, server, { stapling: true })), /ECONNREFUSED; .*must-staple/);
});

await t.test('without its issuer in the file nothing can be stapled', async (t) => {
  const server = await certificateFor(new URL('http://127.0.0.1:1/'));
  const alone = { 'server.pem': server.cert };
  t.match(
    await warning(await start(t, server, { stapling: true }, alone)),
    /lacks the certificate of its issuer/,
  );
});
