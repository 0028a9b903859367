import { Agent } from 'node:https';
import t from 'tap';
import { needsCluster, TestCluster } from '../support/cluster.ts';
import { get, startController, startNamed } from '../support/controller.ts';
import { ingress, ingressClass, type Manifest, secret, service, slice } from '../support/objects.ts';
import { ownAddress } from '../support/own-address.ts';
import { createAuthority } from '../support/pki.ts';

/** Ingresses, each with a Service; five endpoints for each. */
const count = Number(process.env['INGRESSES'] ?? 2000);
const perService = 5;
/** Secrets with a certificate, shared by as many Ingresses each. */
const secrets = 50;
/** Changes that are timed, of each kind. */
const changes = Number(process.env['CHANGES'] ?? 40);

/** From a change to the first request served by it, milliseconds (p99). */
const limitMs = 250;

const root = await createAuthority({ cn: 'Root A' });

async function inParallel(cluster: TestCluster, objects: readonly Manifest[]): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (next < objects.length) await cluster.create(objects[next++]!);
    }),
  );
}

const quantile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * part))]!;

void t.test(
  `${count} Ingresses and ${count * perService} endpoints`,
  { ...needsCluster(), timeout: 300_000 },
  async (t) => {
    const cluster = await TestCluster.start(t);
    const address = ownAddress(t);
    const [one, two] = [await startNamed(t, 'one', address), await startNamed(t, 'two', address)];
    const { bundle, key } = await root.issue({ cn: 'server', hosts: ['*.many.test'], usage: 'server' });
    const objects: Manifest[] = [ingressClass()];
    for (let index = 0; index < secrets; index++)
      objects.push(secret(`tls-${index}`, { 'tls.crt': bundle, 'tls.key': key, 'ca.crt': root.cert }));
    const around = Array.from({ length: perService - 1 }, (_, index) => `192.0.2.${index + 1}`);
    for (let index = 0; index < count; index++) {
      objects.push(
        service(`web-${index}`),
        slice(`web-${index}-a`, `web-${index}`, one, index < changes ? [address] : [address, ...around]),
        ingress({ host: `h${index}.many.test`, service: `web-${index}`, tls: `tls-${index % secrets}` }),
      );
    }
    const began = performance.now();
    await inParallel(cluster, objects);
    t.comment(`${objects.length} objects created in ${Math.round(performance.now() - began)} ms`);

    const started = performance.now();
    const controller = await startController(t, cluster.kubeconfig);
    t.comment(`whole state served after ${Math.round(performance.now() - started)} ms`);
    t.equal((await get(controller.port, `h0.many.test`)).status, 200);

    const agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      rejectUnauthorized: false,
      maxCachedSessions: 0,
    });
    t.teardown(() => agent.destroy());
    /** Asks until the answer is right; gives the milliseconds since the change was sent. */
    const timed = async (
      host: string,
      change: () => Promise<void>,
      right: (got: { status: number; body: string }) => boolean,
    ) => {
      await get(controller.port, host, { agent });
      const sent = performance.now();
      const changing = change();
      for (;;) {
        if (right(await get(controller.port, host, { agent }))) break;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      const took = performance.now() - sent;
      await changing;
      return took;
    };
    const report = (what: string, times: readonly number[]): void => {
      const [median, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
      t.comment(`${what}: median ${Math.round(median)} ms, p99 ${Math.round(p99)} ms of ${times.length}`);
      t.ok(p99 <= limitMs, `${what}: p99 ${Math.round(p99)} ms is within ${limitMs} ms`);
    };

    const moved: number[] = [];
    for (let index = 0; index < changes; index++) {
      const host = `h${index}.many.test`;
      const change = slice(`web-${index}-a`, `web-${index}`, two, [address]);
      moved.push(
        await timed(
          host,
          () => cluster.put(change),
          ({ body }) => body === 'two',
        ),
      );
    }
    report('endpoints', moved);

    const made: number[] = [];
    for (let index = 0; index < changes; index++) {
      const host = `new${index}.many.test`;
      const change = ingress({ host, service: 'web-1', tls: `new-${index}` });
      await cluster.create(secret(`new-${index}`, { 'tls.crt': bundle, 'tls.key': key }));
      made.push(
        await timed(
          host,
          () => cluster.create(change),
          ({ status }) => status === 200,
        ),
      );
    }
    report('new Ingresses', made);
  },
);
