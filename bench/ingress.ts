import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { EventEmitter, once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { join } from 'node:path';
import { App } from '../src/app.ts';
import type { Source } from '../src/config/source.ts';
import { makeDefaultCertificate } from '../src/ingress/default-certificate.ts';
import { createManifestSource } from '../src/ingress/manifest-source.ts';
import { readManifestFlags } from '../src/ingress/serve-options.ts';
import type { translate } from '../src/ingress/translate.ts';
import { createObservability } from '../src/observe/observe.ts';
import type { Observer, ReloadEvent } from '../src/observe/observer.ts';
import { compile } from '../src/snapshot/compile.ts';

const ingresses = 2000;
const pathsEach = 5;
const changes = 41;
/** Changes before they are counted, in which the machine code is made. */
const warmUp = 10;

/** One Ingress with its Service and endpoints. */
function manifest(index: number, change: number): string {
  const name = `app-${index}`;
  const service = { name, port: { number: 80 } };
  const paths = Array.from({ length: pathsEach }, (_, path) => ({
    path: `/p${path}${change === 0 ? '' : `-${change}`}`,
    pathType: 'Prefix',
    backend: { service },
  }));
  const objects = [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, annotations: { 'nginx.ingress.kubernetes.io/proxy-body-size': '8m' } },
      spec: { ingressClassName: 'nginx', rules: [{ host: `${name}.test`, http: { paths } }] },
    },
    { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, labels: { 'kubernetes.io/service-name': name } },
      ports: [{ port: 80 }],
      endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.2'] }],
    },
  ];
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })}\n`;
}

/** What the program runs on, to be told of a change and asked to load. */
interface Timed {
  readonly source: Source;
  /** Milliseconds, of the last load alone. */
  loaded: number;
  /** When the last load was asked for, or a change was told of. */
  began: number;
}

function timed(source: Source): Timed {
  const times: Timed = {
    loaded: 0,
    began: 0,
    source: {
      async load(changed) {
        const began = performance.now();
        const loaded = await source.load(changed);
        times.loaded = performance.now() - began;
        return loaded;
      },
      watch: (onChange) =>
        source.watch((changed) => {
          times.began = performance.now();
          onChange(changed);
        }),
    },
  };
  return times;
}

/**
 * 2,000 Ingresses with 10,000 paths, in a file each and all in one file: how long the program takes for the first load, and for
 * one changed Ingress. In milliseconds, the median of many changes, from when the change is told of to when the new snapshot
 * is in force; the watch waits a moment for more changes before it tells.
 */
export async function measureIngress(): Promise<void> {
  const flags = readManifestFlags({
    address: '127.0.0.1',
    'https-port': '0',
    'http-port': '0',
    'admin-port': '0',
  });
  if ('fault' in flags) throw new Error(flags.fault);
  measureLookups({ ...flags, defaultCertificate: await makeDefaultCertificate() });
  for (const layout of ['a file each', 'one file'] as const) {
    const dir = mkdtempSync(join(tmpdir(), 'mtls-ingress-bench-'));
    const inForce = new EventEmitter();
    const silent = createObservability({ destination: { write() {} } });
    const observer: Observer = {
      ...silent.observer,
      reload(event) {
        inForce.emit('reload', event, performance.now());
        silent.observer.reload(event);
      },
    };
    const times = timed(createManifestSource(dir, flags));
    const app = new App(times.source, { ...silent, observer });
    try {
      const texts = Array.from({ length: ingresses }, (_, index) => manifest(index, 0));
      const write = (index: number): void => {
        if (layout === 'a file each') writeFileSync(join(dir, `${index}.json`), texts[index]!);
        else writeFileSync(join(dir, 'all.yaml'), texts.join('---\n'));
      };
      if (layout === 'one file') write(0);
      else for (const index of texts.keys()) write(index);
      const began = performance.now();
      await app.start();
      show(`${layout}, first load`, times.loaded, performance.now() - began);
      app.watch();
      const rounds: [number, number][] = [];
      for (let change = -warmUp; change < changes; change++) {
        // Until then a file could have changed again within what its file system takes for an instant.
        await wait(change === -warmUp ? 2500 : 100);
        const index = ((change + warmUp) * 97) % ingresses;
        texts[index] = manifest(index, change + warmUp + 1);
        const swapped = once(inForce, 'reload') as Promise<[ReloadEvent, number]>;
        write(index);
        const [{ result }, at] = await swapped;
        const paths = app.snapshot.hosts.find(`app-${index}.test`)?.routes.all.map(({ path }) => path);
        if (result !== 'success' || paths?.includes(`/p0-${change + warmUp + 1}`) !== true)
          throw new Error('not taken over');
        if (change >= 0) rounds.push([times.loaded, at - times.began]);
      }
      const parts = [0, 1].map((part) => rounds.map((round) => round[part]!));
      show(`${layout}, one changed`, median(parts[0]!), median(parts[1]!));
      console.log(`  the slowest of ${changes}: ${Math.max(...parts[1]!).toFixed(1)} ms`);
    } finally {
      await app.stop();
      rmSync(dir, { recursive: true });
    }
  }
}

/** Nanoseconds to find the host and the route of a path, by how many hosts there are and how many paths each has. */
function measureLookups(flags: Parameters<typeof translate>[1]): void {
  for (const [hosts, pathsOfOne] of [
    [10, 5],
    [2000, 5],
    [10_000, 5],
    [1, 100],
    [1, 10_000],
  ] as const) {
    const names = Array.from({ length: hosts }, (_, index) => `app-${index}.test`);
    const cert = { cert: 'default/tls.crt', key: 'default/tls.key' };
    const config = {
      ...flags.base,
      hosts: names.map((name) => ({
        names: [name],
        certificate: cert,
        routes: Array.from({ length: pathsOfOne }, (_, path) => ({ path: `/p${path}`, upstream: 'app' })),
      })),
      upstreams: { app: { endpoints: ['10.0.0.1:80'] } },
    };
    const { cert: pem, key } = flags.defaultCertificate;
    const compiled = compile(
      config,
      new Map([
        ['default/tls.crt', pem],
        ['default/tls.key', key],
      ]),
    );
    if (!compiled.ok) throw new Error('does not compile');
    const count = 500_000;
    let found = 0;
    const began = performance.now();
    for (let turn = 0; turn < count; turn++) {
      const host = compiled.snapshot.hosts.find(names[(turn * 7919) % hosts]!);
      if (host !== null && host.routes.find(`/p${(turn * 7919) % pathsOfOne}/x`) !== null) found++;
    }
    const each = ((performance.now() - began) * 1e6) / count;
    if (found !== count) throw new Error('a lookup found nothing');
    console.log(`lookup, ${hosts} hosts of ${pathsOfOne} paths: ${each.toFixed(0)} ns`);
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function show(what: string, loaded: number, inForce: number): void {
  console.log(
    `${what}: in force after ${inForce.toFixed(1)} ms, of which the source took ${loaded.toFixed(1)} ms`,
  );
}
