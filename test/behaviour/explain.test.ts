import t, { type Test } from 'tap';
import { ask } from '../../src/explain/ask.ts';
import type { Question } from '../../src/explain/question.ts';
import { readCertificates } from '../../src/pki/pem.ts';
import { day } from '../../src/pki/time.ts';
import { openTls, request } from '../support/client.ts';
import { createAuthority, type Issued, selfSigned } from '../support/pki.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

// What is explained beforehand is what the program then does, over a real handshake.

const root = await createAuthority({ cn: 'Root' });
const middle = await createAuthority({ cn: 'Middle', parent: root });
const others = await createAuthority({ cn: 'Others' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const revoked = await middle.issue({ cn: 'revoked', ou: 'ITOps' });

const clients: Readonly<Record<string, Issued | null>> = {
  none: null,
  itops: await middle.issue({ cn: 'roshankhatri', ou: 'ITOps' }),
  sales: await middle.issue({ cn: 'eve', ou: 'Sales' }),
  other: await others.issue({ cn: 'other', ou: 'ITOps' }),
  'self-signed': await selfSigned({ cn: 'self' }),
  expired: await middle.issue({ cn: 'late', ou: 'ITOps', notAfter: Date.now() - day / 2 }),
  'for servers': await middle.issue({ cn: 'server', ou: 'ITOps', usage: 'server' }),
  revoked,
  denied: await middle.issue({ cn: 'denied', ou: 'ITOps' }),
  hostile: await middle.issue({
    subject: [
      ['OU', 'x\r\n\u001b[2J'],
      ['CN', 'ITOps'],
    ],
  }),
};

const proxyFor = async (test: Test) => {
  const backend = await startBackend(test);
  const proxy = await startProxy(
    test,
    {
      hosts: [
        {
          names: ['a.test', '*.a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'root.pem', crl: ['root.crl', 'middle.crl'] },
          policy: { not: { ou: 'Sales' } },
          identityHeaders: { dialects: ['nginx', 'xfcc'], templates: { 'X-Who': '{cn}' } },
          routes: [
            { path: '/', upstream: 'backend' },
            { path: '/admin', upstream: 'backend', policy: { ou: 'ITOps' } },
            { path: '/others', upstream: 'backend', clientAuth: { mode: 'optional', ca: 'others.pem' } },
            { path: '/old', upstream: 'backend', rewrite: '/new', upstreamHost: 'b.internal' },
            { path: '/moved', redirect: { to: 'https://b.test{uri}', status: 301 } },
            { path: '/closed', upstream: 'backend', access: { allow: ['192.0.2.1/32'] } },
          ],
        },
        {
          names: ['strict.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'root.pem', strict: true },
          routes: [{ path: '/', upstream: 'backend' }],
        },
        {
          names: ['open.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
      denyList: 'deny.yaml',
    },
    {
      'server.pem': server.bundle,
      'server.key': server.key,
      'root.pem': root.cert,
      'others.pem': others.cert,
      'root.crl': root.crl(),
      'middle.crl': middle.crl({ revoked: [revoked] }),
      'deny.yaml': `- { serial: '${clients['denied']!.serial}' }`,
    },
  );
  return { proxy, backend };
};

function questionOf(client: Issued | null, changes: Partial<Question> = {}): Question {
  const chain = client === null ? null : readCertificates(Buffer.from(client.bundle), 'test');
  return {
    host: 'a.test',
    target: '/',
    method: 'GET',
    headers: [],
    certificate: chain === null ? null : { chain },
    serverName: 'a.test',
    address: '127.0.0.1',
    plainHttp: false,
    time: null,
    ...changes,
  };
}

await t.test('a request gets the answer, reason and detail that were explained', async (t) => {
  const { proxy, backend } = await proxyFor(t);
  const cases = Object.keys(clients).flatMap((client) =>
    ['/', '/admin/x?y=1', '/others', '/old/x', '/moved', '/closed', '/a%2fb'].map((path) => ({
      client,
      path,
      host: 'a.test',
      sni: 'a.test',
    })),
  );
  const more = [
    { client: 'itops', path: '/', host: 'open.test', sni: 'a.test' },
    { client: 'itops', path: '/', host: 'a.test', sni: 'open.test' },
    { client: 'itops', path: '/', host: 'b.a.test', sni: 'b.a.test' },
    { client: 'itops', path: '/', host: 'a.b.a.test', sni: 'a.test' },
  ];
  for (const { client, path, host, sni } of [...cases, ...more]) {
    const certificate = clients[client]!;
    const headers = [
      'X-Request-ID: same',
      'SSL_Client_Verify: forged',
      'ssl-client-verify: forged',
      'X-Who: me',
      'Accept: */*',
    ];
    const raw = headers.flatMap((line) => line.split(': '));
    const { report } = await ask(
      proxy.app.snapshot,
      questionOf(certificate, {
        host,
        target: path,
        serverName: sni,
        headers: [...raw, 'Connection', 'close'],
      }),
    );
    const before = backend.seen.length;
    const answer = await request({ port: proxy.port, serverName: sni, host, path, headers, certificate });
    await proxy.settled();
    const line = proxy.log.findLast(({ kind }) => kind === 'request') as { request: Record<string, unknown> };
    const { decision, request: explained } = report;
    t.equal(line.request['decision'], decision.reason, `${client} ${host}${path}`);
    t.equal(line.request['detail'], decision.action === 'forward' ? null : decision.detail);
    if (decision.action === 'respond') {
      t.equal(answer.status, decision.status);
      t.equal(answer.headers['location'] ?? null, decision.location);
      t.equal(backend.seen.length, before);
      continue;
    }
    const seen = backend.seen.at(-1)!;
    t.equal(answer.status, 200);
    const upstream = explained?.upstreamRequest;
    if (upstream === null || upstream === undefined || 'problem' in upstream)
      throw new Error('no request explained');
    t.equal(seen.url, upstream.target);
    t.strictSame(withoutConnection(['Host', ...seen.rawHeaders.slice(1)]), upstream.headers.flat());
    t.equal(seen.rawHeaders[0]?.toLowerCase(), 'host');
  }
});

/** Without what undici adds for its own hop; it writes the name of Host in its own way, too. */
function withoutConnection(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]!.toLowerCase() !== 'connection')
      kept.push(rawHeaders[index]!, rawHeaders[index + 1]!);
  }
  return kept;
}

await t.test('a strict host ends the handshakes that were explained to end, and no others', async (t) => {
  const { proxy } = await proxyFor(t);
  for (const [name, certificate] of Object.entries(clients)) {
    const changes = { host: 'strict.test', serverName: 'strict.test' };
    const { report } = await ask(proxy.app.snapshot, questionOf(certificate, changes));
    const opened = await openTls({ port: proxy.port, serverName: 'strict.test', certificate }).then(
      async (socket) => {
        // TLS 1.3: the client is done before the server has judged it.
        const answered = await new Promise<boolean>((resolve) => {
          socket.on('error', () => resolve(false));
          socket.once('data', () => resolve(true));
          socket.once('close', () => resolve(false));
          socket.write('GET / HTTP/1.1\r\nHost: strict.test\r\nConnection: close\r\n\r\n');
        });
        socket.destroy();
        return answered;
      },
      () => false,
    );
    t.equal(report.decision.action === 'end_handshake', !opened, name);
    const line = proxy.log.findLast(({ kind }) => kind === 'handshake') as
      { handshake?: { reason: string } } | undefined;
    if (!opened) t.equal(line?.handshake?.reason, report.decision.reason, name);
  }
});

await t.test('shows the chain, the CA that was hit, CRLs, and whose certificate is missing', async (t) => {
  const { proxy } = await proxyFor(t);
  const good = await ask(proxy.app.snapshot, questionOf(clients['itops']!));
  const store = good.report.handshake!.stores.find(({ verdict }) => verdict.status === 'success');
  t.match(store!.chain, [
    { subject: 'CN=roshankhatri,OU=ITOps', from: 'client' },
    { subject: 'CN=Middle', from: 'client' },
    { subject: 'CN=Root', from: 'trust store' },
  ]);
  t.match(good.report.request?.clientAuth?.trust?.revocation, {
    check: 'chain',
    certificates: [
      { issuer: 'CN=Middle', state: 'good', crl: { entries: 1 } },
      { issuer: 'CN=Root', state: 'good', crl: { entries: 0 } },
    ],
  });
  const gone = await ask(proxy.app.snapshot, questionOf(revoked));
  t.match(gone.report.request?.clientAuth?.trust?.revocation?.certificates, [
    { state: 'revoked' },
    { state: 'good' },
  ]);
  const leaf = { ...clients['itops']!, bundle: clients['itops']!.cert };
  const alone = await ask(proxy.app.snapshot, questionOf(leaf));
  t.equal(
    alone.report.handshake!.stores[0]!.missing,
    'CN=Middle, who issued CN=roshankhatri,OU=ITOps, was not sent and is not among the trusted CAs',
  );
  const own = await ask(proxy.app.snapshot, questionOf(clients['self-signed']!));
  t.equal(
    own.report.handshake!.stores[0]!.missing,
    'CN=self is its own issuer, and is not among the trusted CAs',
  );
});

await t.test('for another time the dates are judged, and a note says what OpenSSL says of now', async (t) => {
  const { proxy } = await proxyFor(t);
  const at = async (client: string, time: number) =>
    (
      await ask(
        proxy.app.snapshot,
        questionOf(clients[client]!, { time, host: 'strict.test', serverName: 'strict.test' }),
      )
    ).report;
  const later = await at('itops', Date.now() + 400 * day);
  t.match(later.decision, { action: 'end_handshake', reason: 'expired' });
  t.match(later.handshake!.stores[0]!.note, /says success; the dates are judged for/);
  t.match((await at('itops', Date.now() - 2 * day)).decision, { reason: 'not_yet_valid' });
  const earlier = await at('expired', Date.now() - day + 60_000);
  t.equal(earlier.decision.action, 'forward');
  t.match(earlier.handshake!.stores[0]!.note, /says expired/);
  // What is wrong beside the dates stays wrong at any time.
  t.match((await at('for servers', Date.now() + 1000)).decision, { reason: 'bad_purpose' });
  t.match((await at('other', Date.now() + 1000)).decision, { reason: 'untrusted' });
});

await t.test('bytes that are no certificate end the handshake, as they do', async (t) => {
  const { proxy } = await proxyFor(t);
  for (const chain of [
    [Buffer.from('garbage')],
    [Buffer.from('3000', 'hex')],
    [clients['itops']!.der.subarray(0, 99)],
  ]) {
    const { report } = await ask(proxy.app.snapshot, questionOf(null, { certificate: { chain } }));
    t.match(report.decision, { action: 'end_handshake', reason: 'protocol' });
  }
});
