import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { Denials } from '../../src/observe/denials/ring.ts';
import { denialOfHandshake } from '../../src/observe/denials/record.ts';
import { ask, start as startAdmin } from '../admin/client.ts';
import { handshakeEvent } from '../observe/fixture.ts';
import { request } from '../support/client.ts';
import { denialsOf, DenialStream } from '../support/denials.ts';
import { createAuthority } from '../support/pki.ts';
import { type Proxy, startBackend, startProxy } from '../support/proxy.ts';

const ca = await createAuthority({ cn: 'Root' });
const inter = await createAuthority({ cn: 'Clients CA', parent: ca });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const sales = await inter.issue({ cn: 'eve', ou: 'Sales' });
const itops = await inter.issue({ cn: 'bob', ou: 'ITOps' });
const past = Date.now() - 86_400_000 * 3;
const old = await inter.issue({ cn: 'old', ou: 'ITOps', notBefore: past - 86_400_000, notAfter: past });
const impostor = await (await createAuthority({ cn: 'Root' })).issue({ cn: 'bob', ou: 'ITOps' });

async function start(t: Test): Promise<Proxy> {
  const backend = await startBackend(t);
  return startProxy(
    t,
    {
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'ca.pem' },
          policy: { ou: 'ITOps' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': ca.cert },
  );
}

await t.test('the id on the error page finds the denial, with who it was and what was wanted', async (t) => {
  const proxy = await start(t);
  const admin = proxy.addresses.admin.port;
  const at = { port: proxy.port, serverName: 'a.test', host: 'a.test' };
  t.equal((await request({ ...at, certificate: itops })).status, 200);
  const answer = await request({ ...at, certificate: sales, path: '/reports?key=secret' });
  t.equal(answer.status, 403);
  const id = /<hr><center>([0-9a-f]{32})/.exec(answer.body)![1]!;
  const stream = await DenialStream.open(admin, `id=${id}`);
  t.teardown(() => stream.close());
  const denial = await stream.next();
  t.match(denial, {
    kind: 'request',
    outcome: 'denied',
    id,
    reason: 'policy_ou',
    nearMiss: 'OU was `Sales`, the rule wants `ITOps`',
    status: 403,
    address: '127.0.0.1',
    serverName: 'a.test',
    host: 'a.test',
    path: '/reports',
    certificate: { verified: true, subject: /CN=eve/, issuer: 'CN=Clients CA', serial: sales.serial },
  });
  t.same((await denialsOf(admin, `id=${id}`)).denials, [denial]);
  t.same((await denialsOf(admin, 'subject=cn=bob')).denials, [], 'who was let in is not among them');
});

await t.test('the nearest miss says what a chain lacked and how long ago a certificate ended', async (t) => {
  const proxy = await start(t);
  const at = { port: proxy.port, serverName: 'a.test', host: 'a.test' };
  const stream = await DenialStream.open(proxy.addresses.admin.port, 'kind=request');
  t.teardown(() => stream.close());
  const missed = async (certificate: { bundle: string; key: string } | null): Promise<string | null> => {
    t.equal((await request({ ...at, certificate })).status, 400);
    return (await stream.next()).nearMiss;
  };
  t.match(
    await missed({ bundle: sales.cert, key: sales.key }),
    'leaf only: CN=Clients CA, who issued CN=eve,OU=Sales, was not sent and is not among the trusted CAs',
  );
  t.match(await missed(old), /^expired since \d{4}-.*Z, 3 days ago$/);
  t.match(await missed(impostor), 'the trusted CA of that name has another key');
  t.equal(await missed(null), null);
});

await t.test('a failed handshake is told to whoever follows', async (t) => {
  const proxy = await start(t);
  const stream = await DenialStream.open(proxy.addresses.admin.port, 'kind=handshake');
  t.teardown(() => stream.close());
  const socket = connect(proxy.port, '127.0.0.1');
  socket.end('nonsense');
  socket.resume();
  t.match(await stream.next(), { kind: 'handshake', reason: 'protocol', address: '127.0.0.1', host: null });
});

await t.test('what is asked in another way than there is gets a 400 that says what there is', async (t) => {
  const at = await startAdmin(t);
  t.match(await ask(at, '/denials?hots=a'), { status: 400, body: /there is id, host, reason/ });
  t.match(JSON.parse((await ask(at, '/denials')).body), { recorded: 0, kept: 0, denials: [] });
});

await t.test('a follower that does not read is told so and let go of, and holds nobody up', async (t) => {
  const denials = new Denials({ keep: 10, bytes: 100_000 });
  const at = await startAdmin(t, { denials });
  const socket = connect(at.port, at.address);
  socket.write('GET /denials?follow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await once(socket, 'readable');
  const event = handshakeEvent({ result: 'rejected', reason: 'protocol', detail: 'x'.repeat(1000) });
  let told = 0;
  const end = denials.subscribe(() => told++);
  // More than the buffers of a connection hold: four megabytes at most here.
  for (let count = 0; count < 8000; count++) {
    denials.add(denialOfHandshake(event, 0));
    if (count % 100 === 0) await new Promise(setImmediate);
  }
  end();
  t.equal(told, 8000);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'end');
  t.match(text.slice(-400), /event: dropped\ndata: \{"reason":"you read too slowly","since":"1970-/);
});
