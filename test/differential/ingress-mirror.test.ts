import { EventEmitter, once } from 'node:events';
import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { judge } from './difference.ts';
import { ingress } from './ingress-manifests.ts';
import { bothWays, startIngressSides } from './ingress-sides.ts';
import { startEchoBackend } from './sides.ts';

/**
 * What we tell every upstream of the client, and so a mirror; nginx tells it what the client wrote there. And what is of
 * one hop, or made for each request.
 */
const ofUpstreams =
  /^(?:x-forwarded-[a-z]+|x-real-ip|x-scheme|x-original-forwarded-for|ssl-client-verify|x-request-id|connection)$/;

await t.test('a mirror gets what it gets under nginx', needs('nginx', '-v'), async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const server = await root.issue({ cn: 'server', hosts: ['mirror.test'], usage: 'server' });
  const heard = new EventEmitter();
  const mirrored = new Map<string, string[]>();
  let verified = 0;
  const app = await startEchoBackend(t);
  const mirror = await startEchoBackend(t, ({ method, url, rawHeaders }) => {
    const lines = rawHeaders.flatMap((name, index) =>
      index % 2 === 1 || ofUpstreams.test(name.toLowerCase())
        ? []
        : [`${name.toLowerCase()}: ${rawHeaders[index + 1]}`],
    );
    const all = mirrored.get(url!) ?? [];
    if (rawHeaders.includes('ssl-client-verify')) verified++;
    mirrored.set(url!, [...all, [`${method} ${url}`, ...lines.toSorted()].join('\n')]);
    heard.emit('request');
  });
  const annotations = { 'mirror-target': 'http://mirror.default.svc.cluster.local$request_uri' };
  const sides = await startIngressSides(t, {
    objects: [
      ingress('mirror.test', { annotations }),
      ingress('named.test', { annotations: { ...annotations, 'mirror-host': 'inner.example' } }),
    ],
    files: { 'server.pem': server.bundle, 'server.key': server.key },
    services: { 'default/app': [app.endpoint], 'default/mirror': [mirror.endpoint] },
  });
  const cases = ['mirror.test', 'named.test'].flatMap((host) =>
    [
      ['GET', '', []],
      ['HEAD', '', ['X-Forwarded-For: 192.0.2.1', 'Cookie: a=b']],
      ['POST', 'hello', ['Content-Length: 5']],
    ].flatMap(([method, body, headers]) =>
      bothWays(host, `/${host}/${method as string}?a=b`, headers as string[], {
        method: method as string,
        body: body as string,
      }),
    ),
  );
  judge(t, await sides.play(cases), [
    {
      cases: /./,
      fact: 'header ssl-client-verify',
      nginx: null,
      ours: /^NONE$/,
      reason: 'every upstream is told who the client is, if only that it is nobody (rule 4)',
    },
  ]);
  const total = (): number => [...mirrored.values()].reduce((sum, { length }) => sum + length, 0);
  while (total() < cases.length * 2) await once(heard, 'request');
  t.equal(mirrored.size, cases.length / 2, 'every target of both schemes');
  for (const [url, copies] of mirrored) {
    t.equal(copies.length, 4, `${url}: of two sides by two schemes`);
    t.same(new Set(copies), new Set(copies.slice(0, 1)), `${url}: all of them alike`);
  }
  t.equal(verified, cases.length, 'ours say who the client is');
});
