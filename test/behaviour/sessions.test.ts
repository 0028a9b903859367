import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import type { HostConfig } from '../../src/config/schema.ts';
import { DerReader, tags } from '../../src/tls/der.ts';
import { createAuthority, writeFiles } from '../support/pki.ts';
import { completeConfig, startBackend, startProxy, type Backend, type Proxy } from '../support/proxy.ts';
import { needs } from '../support/program.ts';
import { visit } from '../support/session.ts';

// Rule 10: sessions never outlive trust, and every resumed connection is judged like a new one.

const caA = await createAuthority({ cn: 'CA A' });
const caB = await createAuthority({ cn: 'CA B' });
const intermediate = await createAuthority({ cn: 'Intermediate A', parent: caA });
const deeper = await createAuthority({ cn: 'Deeper A', parent: intermediate });
const clientA = await intermediate.issue({ ou: 'ITOps', cn: 'a' });
const clientB = await caB.issue({ ou: 'ITOps', cn: 'b' });
const deepClient = await deeper.issue({ cn: 'deep' });
const server = await caA.issue({ cn: 'server', hosts: ['a.test', 'b.test'], usage: 'server' });
const otherServer = await caA.issue({ cn: 'renewed', hosts: ['a.test', 'b.test'], usage: 'server' });
const files = {
  'server.pem': server.bundle,
  'server.key': server.key,
  'a.pem': caA.cert,
  'b.pem': caB.cert,
  'crl.pem': caA.crl() + intermediate.crl(),
};

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
type ClientAuth = NonNullable<HostConfig['clientAuth']>;

function host(name: string, clientAuth: ClientAuth): HostConfig {
  return {
    names: [name],
    certificate: { cert: 'server.pem', key: 'server.key' },
    clientAuth,
    routes: [{ path: '/', upstream: 'backend' }],
  };
}

function config(backend: Backend, hosts: HostConfig[], sessionTickets?: boolean) {
  return completeConfig({
    hosts,
    upstreams: { backend: { endpoints: [backend.endpoint] } },
    ...(sessionTickets === undefined ? {} : { tls: { sessionTickets } }),
  });
}

const required = (ca = 'a.pem'): ClientAuth => ({ mode: 'require', ca });
const resumedTotal = async (proxy: Proxy): Promise<number> =>
  Number(
    /^mtls_sessions_resumed_total\{listener="https",host="a.test"\} (\d+)/m.exec(await proxy.metrics())?.[1],
  );

for (const version of versions) {
  const at = (proxy: Proxy, serverName = 'a.test') => ({ port: proxy.port, serverName, version });

  await t.test(
    `${version}: a session resumes at its own host, with its identity, and is counted`,
    async (t) => {
      const backend = await startBackend(t);
      const proxy = await startProxy(t, config(backend, [host('a.test', required())]), files);
      const first = await visit({ ...at(proxy), certificate: clientA });
      t.match(first, { status: 200, resumed: false });
      t.equal(await resumedTotal(proxy), 0);
      const second = await visit(at(proxy), first.sessions.at(-1));
      t.match(second, { status: 200, resumed: true });
      const { headers } = backend.seen.at(-1)!;
      t.equal(headers['ssl-client-verify'], 'SUCCESS');
      t.equal(headers['ssl-client-subject-dn'], 'CN=a,OU=ITOps');
      t.equal(await resumedTotal(proxy), 1);
      t.match(
        await proxy.metrics(),
        `mtls_handshakes_total{listener="https",host="a.test",result="accepted",reason="ok",tls_version="${version}",resumed="true"} 1`,
      );
    },
  );

  await t.test(`${version}: sessions that are turned off are never resumed`, async (t) => {
    const backend = await startBackend(t);
    const proxy = await startProxy(t, config(backend, [host('a.test', required())], false), files);
    const first = await visit({ ...at(proxy), certificate: clientA });
    t.equal(first.status, 200);
    for (const session of first.sessions) {
      t.match(await visit({ ...at(proxy), certificate: clientA }, session), { status: 200, resumed: false });
    }
  });

  await t.test(`${version}: session-of-host-a-does-not-resume-at-host-b`, async (t) => {
    const backend = await startBackend(t);
    const hosts = [host('a.test', required()), host('b.test', required('b.pem'))];
    // The same trust store and mode: still another host.
    hosts.push(host('c.test', required()));
    const proxy = await startProxy(t, config(backend, hosts), files);
    const { sessions } = await visit({ ...at(proxy), certificate: clientA });
    t.ok(sessions.length > 0);
    for (const session of sessions) {
      for (const name of ['b.test', 'c.test']) {
        const answer = await visit(at(proxy, name), session);
        t.match(answer, { resumed: false, status: 400 }, name);
      }
    }
    const mine = await visit({ ...at(proxy), certificate: clientA });
    t.match(
      await visit({ ...at(proxy), host: 'b.test' }, mine.sessions.at(-1)),
      { resumed: true, status: 421 },
      'nor does a resumed connection reach another host by its Host header',
    );
  });

  await t.test(`${version}: a session without a server name keeps to the default host`, async (t) => {
    const backend = await startBackend(t);
    const hosts = [host('a.test', required()), host('b.test', required('b.pem'))];
    const proxy = await startProxy(t, config(backend, hosts), files);
    const { sessions } = await visit({ port: proxy.port, version, host: 'a.test', certificate: clientA });
    const session = sessions.at(-1);
    t.match(await visit({ port: proxy.port, version, host: 'b.test' }, session), { status: 421 });
    t.match(await visit(at(proxy, 'b.test'), session), { resumed: false, status: 400 });
  });

  await t.test(
    `${version}: a session begun without a certificate is one without a certificate`,
    async (t) => {
      const backend = await startBackend(t);
      const hosts = [host('a.test', required()), host('b.test', { mode: 'optional', ca: 'a.pem' })];
      const proxy = await startProxy(t, config(backend, hosts), files);
      const refused = await visit(at(proxy));
      t.equal(refused.status, 400);
      for (const session of refused.sessions) t.equal((await visit(at(proxy), session)).status, 400);
      const open = await visit(at(proxy, 'b.test'));
      const again = await visit(at(proxy, 'b.test'), open.sessions.at(-1));
      t.match(again, { status: 200, resumed: true });
      t.equal(backend.seen.at(-1)?.headers['ssl-client-verify'], 'NONE');
    },
  );

  await t.test(`${version}: a refused client's session resumes into the same refusal`, async (t) => {
    const backend = await startBackend(t);
    const hosts = [
      host('a.test', required()),
      host('b.test', { mode: 'optional_no_ca', ca: 'a.pem' }),
      host('c.test', { mode: 'require', ca: 'a.pem', strict: true }),
    ];
    const proxy = await startProxy(t, config(backend, hosts), files);
    for (const certificate of [clientB, deepClient]) {
      const refused = await visit({ ...at(proxy), certificate });
      t.equal(refused.status, 400);
      for (const session of refused.sessions) {
        const { status } = await visit(at(proxy), session);
        t.ok(status === 400 || status === 421, `refused again: ${status}`);
      }
    }
    const passed = await visit({ ...at(proxy, 'b.test'), certificate: clientB });
    t.equal(passed.status, 200);
    t.equal((await visit(at(proxy, 'b.test'), passed.sessions.at(-1))).status, 200);
    t.match(
      backend.seen.at(-1)?.headers['ssl-client-verify'],
      /^FAILED/,
      'what passed unproven stays unproven',
    );
    const before = backend.seen.length;
    const aborted = await visit({ ...at(proxy, 'c.test'), certificate: clientB }).catch(() => null);
    t.notOk(aborted?.status);
    for (const session of aborted?.sessions ?? []) {
      const again = await visit(at(proxy, 'c.test'), session).catch(() => null);
      t.notOk(again?.status, 'strict aborts a resumed session too');
    }
    t.equal(backend.seen.length, before);
  });

  const changes: Record<string, { to?: ClientAuth; files?: Partial<typeof files>; status: number }> = {
    'another CA': { files: { 'a.pem': caB.cert }, status: 400 },
    'a CA beside the old one': { files: { 'a.pem': caA.cert + caB.cert }, status: 400 },
    'another mode': { to: { mode: 'optional', ca: 'a.pem' }, status: 200 },
    'a greater depth': { to: { ...required(), verifyDepth: 3 }, status: 400 },
    'another certificate of the host': {
      files: { 'server.pem': otherServer.bundle, 'server.key': otherServer.key },
      status: 400,
    },
  };
  for (const [change, { to, files: changed, status }] of Object.entries(changes)) {
    await t.test(`${version}: ${change} makes old sessions worthless`, async (t) => {
      const backend = await startBackend(t);
      const proxy = await startProxy(t, config(backend, [host('a.test', required())]), files);
      const first = await visit({ ...at(proxy), certificate: clientA });
      t.equal(first.status, 200);
      proxy.source.set(config(backend, [host('a.test', to ?? required())]), { ...files, ...changed });
      await proxy.app.reload();
      for (const session of first.sessions) {
        t.match(await visit(at(proxy), session), { resumed: false, status }, 'judged as what it now brings');
      }
    });
  }

  await t.test(`${version}: a reload that leaves the host as it was leaves its sessions`, async (t) => {
    const backend = await startBackend(t);
    const proxy = await startProxy(t, config(backend, [host('a.test', required())]), files);
    const first = await visit({ ...at(proxy), certificate: clientA });
    proxy.source.set(
      config(backend, [
        { ...host('a.test', required()), policy: { ou: 'Sales' } },
        host('b.test', required()),
      ]),
      files,
    );
    await proxy.app.reload();
    t.match(
      await visit(at(proxy), first.sessions.at(-1)),
      { resumed: true, status: 403 },
      'and the new policy holds on them',
    );
  });

  await t.test(`${version}: a ticket with any bit changed is no ticket`, async (t) => {
    const backend = await startBackend(t);
    const proxy = await startProxy(t, config(backend, [host('a.test', required())]), files);
    const first = await visit({ ...at(proxy), certificate: clientA });
    const session = first.sessions.at(-1)!;
    // The client holds the ticket as one DER OCTET STRING, tag [10] of SSL_SESSION, among its own notes.
    const start = session.indexOf(ticketOf(session));
    const { length } = ticketOf(session);
    let tried = 0;
    for (let at = start; at < start + length; at += Math.max(1, Math.floor(length / 24))) {
      const tampered = Buffer.from(session);
      tampered[at]! ^= 1;
      const answer = await visit({ port: proxy.port, serverName: 'a.test', version }, tampered).catch(
        () => null,
      );
      t.notOk(answer?.resumed, `byte ${at - start}`);
      t.not(answer?.status, 200);
      tried++;
    }
    t.ok(tried >= 24);
    t.match(await visit(at(proxy), session), { resumed: true, status: 200 }, 'unharmed, it is one');
  });
}

/** SSL_SESSION's `ticket [10] EXPLICIT OCTET STRING` (OpenSSL's ssl_asn1.c). */
function ticketOf(session: Buffer): Buffer {
  // Node writes a few words of its own in front.
  let start = session.indexOf(0x30);
  while (session.readUInt16BE(start + 2) !== session.length - start - 4) {
    start = session.indexOf(0x30, start + 1);
  }
  const fields = new DerReader(session.subarray(start)).enter(tags.sequence, 'session');
  while (!fields.done) {
    if (fields.nextTag !== 0xaa) {
      fields.next();
      continue;
    }
    return Buffer.from(fields.enter(0xaa, 'ticket').expect(0x04, 'octets').content());
  }
  throw new Error('no ticket in the session');
}

await t.test(
  "openssl's client resumes at its own host and at no other",
  needs('openssl', 'version'),
  async (t) => {
    const backend = await startBackend(t);
    const hosts = [host('a.test', required()), host('b.test', required('b.pem'))];
    const proxy = await startProxy(t, config(backend, hosts), files);
    const dir = t.testdir({});
    const paths = writeFiles(dir, { cert: clientA.bundle, key: clientA.key });
    const openssl = async (...args: string[]): Promise<string> => {
      const child = spawn(
        'openssl',
        ['s_client', '-connect', `127.0.0.1:${proxy.port}`, '-ign_eof', ...args],
        {
          stdio: ['pipe', 'pipe', 'ignore'],
        },
      );
      const name = args[args.indexOf('-servername') + 1];
      child.stdin.end(`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      await once(child, 'close');
      return Buffer.concat(chunks).toString('latin1');
    };
    for (const version of ['-tls1_2', '-tls1_3']) {
      const file = join(dir, `session${version}`);
      const client = ['-cert', paths.cert, '-cert_chain', paths.cert, '-key', paths.key];
      const first = await openssl(version, '-servername', 'a.test', ...client, '-sess_out', file);
      t.match(first, /HTTP\/1\.1 200/);
      const elsewhere = await openssl(version, '-servername', 'b.test', '-sess_in', file);
      t.match(elsewhere, /^New, TLS/m);
      t.match(elsewhere, /HTTP\/1\.1 400/);
      const again = await openssl(version, '-servername', 'a.test', '-sess_in', file);
      t.match(again, /^Reused, TLS/m);
      t.match(again, /HTTP\/1\.1 200/);
    }
    t.equal(await resumedTotal(proxy), 2);
  },
);
