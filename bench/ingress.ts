import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import { makeDefaultCertificate } from '../src/ingress/default-certificate.ts';
import { ManifestReader } from '../src/ingress/manifests.ts';
import { readManifestFlags } from '../src/ingress/serve-options.ts';
import { translate, TranslationMemory } from '../src/ingress/translate.ts';
import { compile, CompileMemory } from '../src/snapshot/compile.ts';

const ingresses = 2000;
const pathsEach = 5;
const changes = 21;

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

/**
 * 2,000 Ingresses with 10,000 paths: how long the first load takes, and one after a single change. In a file each, and all
 * in one file; in milliseconds, the median of many changes.
 */
export async function measureIngress(): Promise<void> {
  const flags = readManifestFlags({});
  if ('fault' in flags) throw new Error(flags.fault);
  const options = { ...flags, defaultCertificate: await makeDefaultCertificate() };
  measureLookups(options);
  for (const layout of ['a file each', 'one file'] as const) {
    const dir = mkdtempSync(join(tmpdir(), 'mtls-ingress-bench-'));
    try {
      const texts = Array.from({ length: ingresses }, (_, index) => manifest(index, 0));
      const write = (index: number): void => {
        if (layout === 'a file each') writeFileSync(join(dir, `${index}.json`), texts[index]!);
        else writeFileSync(join(dir, 'all.yaml'), texts.join('---\n'));
      };
      if (layout === 'one file') write(0);
      else for (const index of texts.keys()) write(index);
      const reader = new ManifestReader(dir);
      const [translated, compiled] = [new TranslationMemory(), new CompileMemory()];
      const load = async (): Promise<number[]> => {
        const began = performance.now();
        const { objects, problems } = await reader.read();
        if (problems.length > 0) throw new Error(problems[0]);
        const read = performance.now();
        const { config, material } = translate(objects, options, translated);
        const done = performance.now();
        if (!compile(config, material, compiled).ok) throw new Error('does not compile');
        return [read - began, done - read, performance.now() - done];
      };
      show(`${layout}, first load`, await load());
      // Until then a file could have changed again within what its file system takes for an instant.
      await setTimeout(2500);
      await load();
      const rounds: number[][] = [];
      for (let change = 1; change <= changes; change++) {
        const index = (change * 97) % ingresses;
        texts[index] = manifest(index, change);
        write(index);
        rounds.push(await load());
      }
      show(
        `${layout}, one changed`,
        [0, 1, 2].map((part) => median(rounds.map((round) => round[part]!))),
      );
    } finally {
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

function show(what: string, [read, translated, compiled]: readonly number[]): void {
  const figures = { read, translated, compiled };
  const words = Object.entries(figures).map(([name, value]) => `${name} ${value!.toFixed(1)} ms`);
  console.log(`${what}: ${words.join(', ')}`);
}
