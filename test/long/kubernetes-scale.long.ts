import { Agent } from 'node:https';
import { availableParallelism, loadavg } from 'node:os';
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

/**
 * From a change to the first request served by it, milliseconds (p99), where nobody else wants the processors; where several
 * do, everything takes as many times as long.
 */
const limit = 250;
const limitNow = (): number => limit * Math.max(1, loadavg()[0]! / availableParallelism());

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
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const took = performance.now() - sent;
      await changing;
      return took;
    };
    /** Up to three rounds, since one may meet a moment in which the machine does other things. */
    const measure = async (what: string, one: (index: number) => Promise<number>): Promise<void> => {
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 3 && best > limitNow(); round++) {
        const times: number[] = [];
        for (let index = 0; index < changes; index++) times.push(await one(round * changes + index));
        const [median, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
        best = Math.min(best, p99);
        t.comment(`${what}: median ${Math.round(median)} ms, p99 ${Math.round(p99)} ms of ${times.length}`);
      }
      const allowed = Math.round(limitNow());
      t.ok(best <= allowed, `${what}: p99 ${Math.round(best)} ms is within ${allowed} ms`);
    };

    await measure('endpoints', (nth) => {
      const index = nth % changes;
      const [to, name] = Math.floor(nth / changes) % 2 === 0 ? [two, 'two'] : [one, 'one'];
      const change = slice(`web-${index}-a`, `web-${index}`, to, [address]);
      return timed(
        `h${index}.many.test`,
        () => cluster.put(change),
        ({ body }) => body === name,
      );
    });

    await measure('new Ingresses', async (nth) => {
      const host = `new${nth}.many.test`;
      const change = ingress({ host, service: 'web-1', tls: `new-${nth}` });
      await cluster.create(secret(`new-${nth}`, { 'tls.crt': bundle, 'tls.key': key }));
      return timed(
        host,
        () => cluster.create(change),
        ({ status }) => status === 200,
      );
    });
  },
);
