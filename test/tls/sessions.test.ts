import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import t from 'tap';
import { compile } from '../../src/snapshot/compile.ts';
import { overallVerdict, verdictFor, type Connection } from '../../src/snapshot/connection.ts';
import { proveChain } from '../../src/tls/chain-proof.ts';
import { ticketKeyPeriod } from '../../src/tls/ticket-keys.ts';
import { TlsListener } from '../../src/tls/listener.ts';
import { ProofMemory, type ProofShare, type SharedProof } from '../../src/tls/proof-memory.ts';
import { TrustStore } from '../../src/tls/trust-store.ts';
import { openTls } from '../support/client.ts';
import { createAuthority, keyFromPem } from '../support/pki.ts';
import { completeConfig } from '../support/proxy.ts';

// What time does to sessions, by a clock in the test's hand; and the proof that outlives the chain.

const hour = 3_600_000;
const day = 24 * hour;
const now = Date.now();
const root = await createAuthority({ cn: 'Root' });
const one = await createAuthority({ cn: 'One', parent: root });
const two = await createAuthority({ cn: 'Two', parent: one });
const brief = await createAuthority({ cn: 'Brief', parent: root, notAfter: now + hour / 2 });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const client = await one.issue({ cn: 'client' });

/** One host; each handshake closes at once, and what it came to is kept. */
async function listen(t: { teardown(handler: () => unknown): void }, crl?: string) {
  const clock = { now };
  const connections: Connection[] = [];
  const compiled = compile(
    completeConfig({
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'cert', key: 'key' },
          clientAuth: { mode: 'require', ca: 'ca', ...(crl === undefined ? {} : { crl: 'crl' }) },
          routes: [{ path: '/', upstream: 'u' }],
        },
      ],
      upstreams: { u: { endpoints: [] } },
    }),
    new Map(Object.entries({ cert: server.bundle, key: server.key, ca: root.cert, crl: crl ?? 'none' })),
  );
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const listener = new TlsListener({
    snapshot: () => compiled.snapshot,
    observer: {
      handshake() {},
      connectionOpened() {},
      connectionClosed() {},
      connectionRefused() {},
      ocsp() {},
      staple() {},
    },
    accept(socket, connection) {
      connections.push(connection);
      socket.end('x');
    },
    acceptPlain() {},
    now: () => clock.now,
  });
  listener.prepare(compiled.snapshot)();
  const { port } = await listener.listen({ address: '127.0.0.1', port: 0 });
  t.teardown(async () => {
    listener.destroyConnections();
    await listener.stop();
  });
  const { clientAuth } = compiled.snapshot.hosts.all[0]!;
  const { key } = clientAuth;
  return {
    clock,
    key,
    clientAuth,
    async connect(version: 'TLSv1.2' | 'TLSv1.3', certificate: typeof client | null, session?: Buffer) {
      const sessions: Buffer[] = [];
      const tls = session === undefined ? {} : { session };
      const socket = await openTls({ port, serverName: 'a.test', version, certificate, tls });
      socket.on('session', (given: Buffer) => sessions.push(given));
      const own = version === 'TLSv1.2' ? socket.getSession() : undefined;
      socket.resume();
      if (!socket.closed) await once(socket, 'close');
      return { connection: connections.at(-1)!, session: own ?? sessions.at(-1)! };
    },
  };
}

/** With what the connection's only trust store said. */
const seen = (connection: Connection) => ({ ...connection, verdict: overallVerdict(connection) });

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await t.test(`${version}: a certificate that expired since the session began is refused`, async (t) => {
    const edge = await listen(t);
    const short = await one.issue({ cn: 'short', notAfter: now + hour / 2 });
    const { session } = await edge.connect(version, short);
    edge.clock.now += hour / 4;
    const before = await edge.connect(version, null, session);
    t.match(seen(before.connection), { resumed: true, verdict: { status: 'success' } });
    edge.clock.now += hour / 2;
    const after = await edge.connect(version, null, session);
    t.match(seen(after.connection), { resumed: true, verdict: { status: 'failed', reason: 'expired' } });
  });

  const runsOut: Record<string, { certificate: typeof client }> = {
    'an intermediate that expired': { certificate: await brief.issue({ cn: 'under brief' }) },
  };
  for (const [what, { certificate }] of Object.entries(runsOut)) {
    await t.test(`${version}: ${what} ends the session, and the tickets with it`, async (t) => {
      const edge = await listen(t);
      const { session, connection } = await edge.connect(version, certificate);
      t.match(seen(connection), { resumed: false, verdict: { status: 'success' } });
      edge.clock.now += hour / 4;
      t.match(seen((await edge.connect(version, null, session)).connection), {
        resumed: true,
        verdict: { status: 'success' },
      });
      edge.clock.now += hour / 2;
      const late = await edge.connect(version, null, session);
      t.match(late.connection, { resumed: true, identity: null });
      t.equal(late.connection.judged.size, 0, 'verified for nothing: its requests get 421');
      const next = await edge.connect(version, null, session);
      t.match(
        seen(next.connection),
        { resumed: false, verdict: { status: 'none' } },
        'a whole handshake follows',
      );
    });
  }

  await t.test(`${version}: a resumed session is judged by the CRL again, until that runs out`, async (t) => {
    const edge = await listen(t, root.crl({ revoked: [], nextUpdate: now + hour / 2 }) + one.crl());
    const { session } = await edge.connect(version, client);
    for (const [later, verdict] of [
      [hour / 4, { status: 'success' }],
      [hour / 2, { status: 'failed', reason: 'crl_expired', detail: 'CRL has expired', about: 'of CN=Root' }],
    ] as const) {
      edge.clock.now += later;
      const { connection } = await edge.connect(version, null, session);
      t.ok(connection.resumed);
      t.match(verdictFor(connection, edge.clientAuth, edge.clock.now), verdict);
    }
  });

  await t.test(`${version}: ticket keys are replaced in time`, async (t) => {
    const edge = await listen(t);
    const { session } = await edge.connect(version, client);
    edge.clock.now += ticketKeyPeriod - 1;
    t.ok((await edge.connect(version, null, session)).connection.resumed);
    edge.clock.now += 1;
    t.notOk((await edge.connect(version, null, session)).connection.resumed);
  });

  await t.test(`${version}: a forged issuer in front does not shorten a chain`, async (t) => {
    // Expired, so that OpenSSL passes it over; signed by nobody we know, under the root's name and key id.
    const impostor = await createAuthority({ cn: 'Root' });
    const forged = await createAuthority({
      cn: 'Two',
      key: keyFromPem(two.key),
      parent: { ...impostor, issuer: { ...impostor.issuer, keyId: root.issuer.keyId } },
      notBefore: now - 2 * day,
      notAfter: now - day,
    });
    const deep = await two.issue({ cn: 'deep' });
    const edge = await listen(t);
    for (const bundle of [deep.bundle, deep.cert + forged.cert + two.cert + one.cert]) {
      const { connection } = await edge.connect(version, { ...deep, bundle });
      t.match(overallVerdict(connection), { status: 'failed', reason: 'chain_too_long' });
    }
  });
}

await t.test('a chain is proven by signatures, in any order, and until its first part runs out', (t) => {
  const trust = new TrustStore(root.cert);
  const [leaf, first] = [client.cert, one.cert].map((pem) => new X509Certificate(pem)) as [
    X509Certificate,
    X509Certificate,
  ];
  const noise = new X509Certificate(two.cert);
  t.match(proveChain([leaf, noise, first], trust, now), { intermediates: 1 });
  t.equal(proveChain([leaf], trust, now), null, 'a link is missing');
  t.equal(proveChain([], trust, now), null);
  const end = Math.min(...[leaf, first, new X509Certificate(root.cert)].map((c) => c.validToDate.getTime()));
  t.equal(proveChain([leaf, first], trust, now)?.validUntil, end);
  t.equal(proveChain([leaf, first], trust, now + 4000 * day), null, 'all is long over');
  const flood = Array.from({ length: 500 }, () => noise);
  t.equal(
    proveChain([leaf, ...flood, first], trust, now),
    null,
    'what is hidden in a flood is not looked for',
  );
  t.end();
});

await t.test('proofs are remembered for one trust store, up to a bound and until they run out', (t) => {
  const memory = new ProofMemory(2);
  memory.remember('k', 'a', { validUntil: 10, issuer: null, chain: [] });
  memory.remember('k', 'b', { validUntil: 10, issuer: null, chain: [] });
  t.ok(memory.recall('k', 'a', 10));
  t.notOk(memory.recall('other', 'a', 1), 'not under another trust store');
  memory.remember('k', 'c', { validUntil: 10, issuer: null, chain: [] });
  t.equal(memory.size, 2);
  t.notOk(memory.recall('k', 'b', 1), 'the one not asked for the longest is gone');
  t.ok(memory.recall('k', 'a', 1));
  t.notOk(memory.recall('k', 'c', 11));
  t.equal(memory.size, 1, 'one that has run out is dropped');
  t.end();
});

await t.test(
  'a proof of another process brings the issuer along, that a responder is asked about',
  async (t) => {
    const ca = await createAuthority({ cn: 'CA' });
    const issuer = new X509Certificate(ca.cert);
    const told = new Map<string, SharedProof>();
    const share: ProofShare = {
      // As over a channel between processes.
      tell: (key, proof) => void told.set(key, JSON.parse(JSON.stringify(proof)) as SharedProof),
      ask: (key) => Promise.resolve(told.get(key) ?? null),
    };
    new ProofMemory(2, share).remember('k', 'a', { validUntil: 10, issuer, chain: [] });
    const other = new ProofMemory(2, share);
    await other.fetch('k', 'a');
    t.equal(other.recall('k', 'a', 1)?.issuer?.fingerprint256, issuer.fingerprint256);
    told.set('k b', { validUntil: 10, issuer: 'nonsense', chain: [] });
    await other.fetch('k', 'b');
    t.match(other.recall('k', 'b', 1), { issuer: null }, 'what is none is not asked about');
  },
);

await t.test('a proof of another process brings the chain, and chains share their CAs', async (t) => {
  const trust = new TrustStore(root.cert);
  const proofOf = async (cn: string) => {
    const { cert } = await one.issue({ cn });
    return proveChain(
      [cert, one.cert].map((pem) => new X509Certificate(pem)),
      trust,
      now,
    )!;
  };
  const told = new Map<string, string>();
  const tell = (key: string, proof: SharedProof): void => void told.set(key, JSON.stringify(proof));
  const here = new ProofMemory(8, { tell, ask: () => Promise.resolve(null) });
  for (const cn of ['a', 'b']) here.remember('k', cn, await proofOf(cn));
  const ask = (key: string) => Promise.resolve(JSON.parse(told.get(key) ?? 'null') as SharedProof | null);
  const there = new ProofMemory(8, { tell() {}, ask });
  for (const cn of ['a', 'b', 'c']) await there.fetch('k', cn);
  const [a, b] = ['a', 'b'].map((cn) => there.recall('k', cn, now)!.chain);
  t.same(a, here.recall('k', 'a', now)?.chain);
  t.match(a, [
    { isCa: false, issuer: { subject: 'CN=One' } },
    { isCa: true, serial: one.serial, issuer: { subject: 'CN=Root' } },
  ]);
  t.not(a![0]!.serial, b![0]!.serial);
  t.equal(a![0]!.issuer, b![0]!.issuer, 'the very same object');
  t.equal(there.recall('k', 'c', now), null);
});
