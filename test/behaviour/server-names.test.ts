import { once } from 'node:events';
import t from 'tap';
import type { Test } from 'tap';
import type { Config } from '../../src/config/schema.ts';
import { compile } from '../../src/snapshot/compile.ts';
import { exchange, openTcp, openTls, request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import {
  completeConfig,
  type PartialConfig,
  type Proxy,
  startBackend,
  startProxy,
} from '../support/proxy.ts';

const ca = await createAuthority({ cn: 'CA' });
const mtls = await ca.issue({ cn: 'mtls', hosts: ['mtls.test'], usage: 'server' });
const open = await ca.issue({ cn: 'public', hosts: ['public.test'], usage: 'server' });
const material = {
  'ca.pem': ca.cert,
  'mtls.pem': mtls.bundle,
  'mtls.key': mtls.key,
  'public.pem': open.bundle,
  'public.key': open.key,
};

function configOf(tls: NonNullable<PartialConfig['tls']>, endpoint = '127.0.0.1:1'): PartialConfig {
  return {
    tls,
    hosts: [
      {
        names: ['public.test', '*.public.test'],
        certificate: { cert: 'public.pem', key: 'public.key' },
        routes: [{ path: '/', upstream: 'backend' }],
      },
      {
        names: ['mtls.test'],
        certificate: { cert: 'mtls.pem', key: 'mtls.key' },
        clientAuth: { mode: 'require', ca: 'ca.pem' },
        routes: [{ path: '/', upstream: 'backend' }],
      },
    ],
    upstreams: { backend: { endpoints: [endpoint] } },
  };
}

async function start(t: Test, tls: NonNullable<PartialConfig['tls']>): Promise<Proxy> {
  const backend = await startBackend(t);
  return startProxy(t, configOf(tls, backend.endpoint), material);
}

/** The common name of the certificate that a client is shown. */
async function shown(t: Test, proxy: Proxy, serverName?: string): Promise<unknown> {
  const socket = await openTls({ port: proxy.port, ...(serverName === undefined ? {} : { serverName }) });
  t.teardown(() => socket.destroy());
  return socket.getPeerCertificate().subject['CN'];
}

async function refused(t: Test, proxy: Proxy, serverName?: string): Promise<void> {
  await t.rejects(openTls({ port: proxy.port, ...(serverName === undefined ? {} : { serverName }) }), {
    code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
  });
}

await t.test('unless told otherwise the strictest host stands in for no or an unknown name', async (t) => {
  const proxy = await start(t, {});
  t.equal(await shown(t, proxy), 'mtls');
  t.equal(await shown(t, proxy, 'nobody.test'), 'mtls');
});

await t.test('the default host is the one that is named', async (t) => {
  for (const defaultHost of ['public.test', 'PUBLIC.test.', '*.public.test']) {
    const proxy = await start(t, { defaultHost });
    t.equal(await shown(t, proxy), 'public', defaultHost);
    t.equal(await shown(t, proxy, 'nobody.test'), 'public', defaultHost);
    t.equal(await shown(t, proxy, 'mtls.test'), 'mtls', 'its own name still leads to each host');
  }
});

await t.test('a default host that asks for no certificate opens no other host', async (t) => {
  const proxy = await start(t, { defaultHost: 'public.test' });
  const answer = await request({ port: proxy.port, serverName: 'nobody.test', host: 'mtls.test' });
  t.equal(answer.status, 421);
});

await t.test('an unknown name is refused before the handshake, and counted', async (t) => {
  const proxy = await start(t, { unknownServerName: 'refuse' });
  for (const name of ['nobody.test', 'a.b.public.test', 'public.test..', 'mtls.test/'])
    await refused(t, proxy, name);
  t.equal(await shown(t, proxy), 'mtls', 'no name is another matter');
  t.equal(await shown(t, proxy, 'A.Public.TEST'), 'public');
  t.match(
    await proxy.metrics(),
    /^mtls_handshakes_total\{listener="https",host="_",result="rejected",reason="unknown_sni",tls_version="none",resumed="false"\} 4$/m,
  );
  const line = proxy.log.find(({ kind }) => kind === 'handshake');
  t.match(line, {
    connection: { server_name: 'nobody.test', host: null },
    handshake: { reason: 'unknown_sni' },
  });
});

await t.test('a client that names no server is refused before the handshake, and counted', async (t) => {
  const proxy = await start(t, { absentServerName: 'refuse' });
  await refused(t, proxy);
  t.equal(await shown(t, proxy, 'nobody.test'), 'mtls', 'an unknown name is another matter');
  t.match(await proxy.metrics(), /^mtls_handshakes_total\{[^}]*host="_"[^}]*reason="no_sni"[^}]*\} 1$/m);
});

await t.test('what is sent back is one fatal alert, unrecognized_name, and then the end', async (t) => {
  const proxy = await start(t, { absentServerName: 'refuse' });
  const hello = Buffer.concat([
    Buffer.from([22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0]),
  ]);
  const socket = openTcp(proxy.port);
  await once(socket, 'connect');
  t.equal(await exchange(socket, hello), '\x15\x03\x03\x00\x02\x02\x70');
});

void t.test('a default host that is none is a problem, and nothing stands in for it', (t) => {
  const problemsOf = (defaultHost: string): unknown => {
    const config: Config = completeConfig(configOf({ defaultHost }));
    const result = compile(config, new Map(Object.entries(material)));
    return result.ok ? [] : result.problems;
  };
  t.same(problemsOf('mtls.test'), []);
  t.match(problemsOf('nobody.test'), [
    { path: '/tls/defaultHost', message: 'no host has the name nobody.test' },
  ]);
  t.match(problemsOf('x.public.test'), [{ path: '/tls/defaultHost' }], 'a name that only a wildcard covers');
  t.end();
});
