import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnSync } from 'node:child_process';
import { dial, Dialler, handshakeKinds } from '../handshake.ts';
import { Load, plainRequest } from '../load.ts';
import { cpuMicroseconds, memoryKilobytes, quantile } from '../measure.ts';
import { host, type Material, type Proxy, Rig } from '../rig.ts';
import { startOrigin } from './origin.ts';
import { startProxies } from './proxies.ts';
import { type Figures, type Results, writeMarkdown, writeSvg } from './report.ts';

// The whole comparison, in one command: ours (with the express lane, and the full lane alone) beside nginx, HAProxy and
// Caddy. Proxies one after the other on a core of their own, load and origin on the other, rounds interleaved. CPU time of
// the proxies' own processes is what holds on a noisy machine. BENCH_SCALE makes all rounds longer or shorter.

const scale = Number(process.env['BENCH_SCALE'] ?? 1);
const rounds = Math.max(3, Math.round(7 * scale));
const connections = 16;
const warmUpRounds = 4;
const only = process.env['ONLY'];

interface Workload {
  readonly name: string;
  readonly request: Buffer;
  /** Requests of a round. */
  readonly requests: number;
}

const workloads: readonly Workload[] = [
  { name: '100 B', request: plainRequest(host, '/100'), requests: 12_000 },
  { name: '10 KB', request: plainRequest(host, '/10k'), requests: 8000 },
  { name: '1 MB down', request: plainRequest(host, '/1m'), requests: 200 },
  { name: '1 MB up', request: plainRequest(host, '/up', 1_048_576), requests: 200 },
];

const manyRoutes: Workload = {
  name: '100 B, 200 routes',
  request: plainRequest(host, '/many/r137/x'),
  requests: 12_000,
};

export async function compare(rig: Rig): Promise<void> {
  const material = await rig.writeMaterial();
  const origin = await startOrigin(rig);
  const proxies = await startProxies(rig, origin);
  const figures: Figures[] = [];
  let halfLoad = 0;
  for (const workload of workloads.filter(({ name }) => only === undefined || name.includes(only))) {
    const measured = await measureWorkload(workload, proxies, material);
    figures.push(...measured);
    tell(measured);
    if (workload === workloads[0])
      halfLoad = (measured.find(({ proxy }) => proxy === 'nginx')?.perSecond ?? 0) / 2;
  }
  if (halfLoad > 0) {
    const measured = await measureHalfLoad(workloads[0]!, halfLoad, proxies, material);
    figures.push(...measured);
    tell(measured);
  }
  if (only === undefined || manyRoutes.name.includes(only)) {
    const measured = await measureWorkload(manyRoutes, await startProxies(rig, origin, 200), material);
    figures.push(...measured);
    tell(measured);
  }
  const dialler = new Dialler(rig);
  await dialler.tell({ do: 'use', credentials: { cert: material.client.bundle, key: material.client.key } });
  for (const kind of handshakeKinds) {
    if (only !== undefined && !kind.name.includes(only)) continue;
    const measured = await measureHandshake(kind, proxies, dialler);
    figures.push(...measured);
    tell(measured);
  }
  if (only === undefined || 'memory'.includes(only)) {
    const measured = await measureMemory(await startProxies(rig, origin), dialler);
    figures.push(...measured);
    tell(measured);
  }
  if (only === undefined)
    write(rig, {
      date: new Date().toISOString().slice(0, 10),
      machine: machine(),
      versions: versions(),
      rounds,
      figures,
    });
}

async function measureWorkload(
  workload: Workload,
  proxies: readonly Proxy[],
  material: Material,
): Promise<Figures[]> {
  const runs = await openLoads(workload.request, proxies, material);
  const requests = Math.max(20, Math.round(workload.requests * scale));
  // Until V8 has compiled what is hot: a proxy runs for days. Rounds are long, so that one collection of garbage in
  // a process that stood idle meanwhile does not make a round.
  for (const { load } of runs) await load.run(workload.requests * warmUpRounds);
  for (let round = 0; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      const before = cpuMicroseconds(run.proxy.pid);
      const startedAt = performance.now();
      await run.load.run(requests, { latencies: run.latencies });
      run.perSecond.push((1000 * requests) / (performance.now() - startedAt));
      run.cpu.push((cpuMicroseconds(run.proxy.pid) - before) / requests);
    }
  }
  return runs.map((run) => figuresOf(workload.name, run));
}

/** Latency where half of what nginx can do is asked of each. */
async function measureHalfLoad(
  workload: Workload,
  perSecond: number,
  proxies: readonly Proxy[],
  material: Material,
): Promise<Figures[]> {
  const runs = await openLoads(workload.request, proxies, material);
  const requests = Math.round(perSecond * scale);
  for (const { load } of runs) await load.run(workload.requests);
  for (let round = 0; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      const before = cpuMicroseconds(run.proxy.pid);
      await run.load.run(requests, { latencies: run.latencies, perSecond });
      run.perSecond.push(perSecond);
      run.cpu.push((cpuMicroseconds(run.proxy.pid) - before) / requests);
    }
  }
  return runs.map((run) => figuresOf(`${workload.name} at half of nginx's load`, run));
}

async function measureHandshake(
  kind: (typeof handshakeKinds)[number],
  proxies: readonly Proxy[],
  dialler: Dialler,
): Promise<Figures[]> {
  const count = Math.max(50, Math.round(200 * scale));
  const runs = proxies.map((proxy) => ({
    proxy,
    cpu: [] as number[],
    perSecond: [] as number[],
    latencies: [],
  }));
  for (const { proxy } of runs) await dialler.tell(dial(proxy.port, kind, 4000));
  for (let round = 0; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      const before = cpuMicroseconds(run.proxy.pid);
      const startedAt = performance.now();
      await dialler.tell(dial(run.proxy.port, kind, count));
      run.perSecond.push((1000 * count) / (performance.now() - startedAt));
      run.cpu.push((cpuMicroseconds(run.proxy.pid) - before) / count);
    }
  }
  return runs.map((run) => figuresOf(`a handshake a request (${kind.name})`, run));
}

/** Of 1,000 connections more than the first 1,000: what those fill once is not counted as theirs. */
async function measureMemory(proxies: readonly Proxy[], dialler: Dialler): Promise<Figures[]> {
  const settleMs = Number(process.env['SETTLE'] ?? 15_000);
  const open = async (): Promise<number[]> => {
    for (const { port } of proxies) await dialler.tell(dial(port, handshakeKinds[0]!, 1000, true));
    await sleep(settleMs);
    return proxies.map(({ pid }) => memoryKilobytes(pid).pss);
  };
  const before = await open();
  const after = await open();
  await dialler.tell({ do: 'close' });
  return proxies.map(({ name }, index) => ({
    workload: '1,000 idle connections, kB each',
    proxy: name,
    cpu: [],
    perSecond: null,
    latencies: null,
    kilobytes: (after[index]! - before[index]!) / 1000,
  }));
}

interface Run {
  readonly proxy: Proxy;
  readonly cpu: number[];
  readonly perSecond: number[];
  readonly latencies: readonly number[];
}

async function openLoads(request: Buffer, proxies: readonly Proxy[], { ca, client }: Material) {
  return Promise.all(
    proxies.map(async (proxy) => ({
      proxy,
      load: await Load.open({
        connections,
        host,
        port: proxy.port,
        cert: client.bundle,
        key: client.key,
        ca,
        request,
      }),
      cpu: [] as number[],
      perSecond: [] as number[],
      latencies: [] as number[],
    })),
  );
}

function figuresOf(workload: string, { proxy, cpu, perSecond, latencies }: Run): Figures {
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => quantile(latencies, share)) as [
    number,
    number,
    number,
  ];
  return {
    workload,
    proxy: proxy.name,
    cpu,
    perSecond: quantile(perSecond, 0.5),
    latencies: latencies.length === 0 ? null : { p50, p99, p999 },
    kilobytes: null,
  };
}

function tell(measured: readonly Figures[]): void {
  const nginx = measured.find(({ proxy }) => proxy === 'nginx');
  console.log(`${measured[0]?.workload}:`);
  for (const { proxy, cpu, kilobytes, latencies } of measured) {
    const median = kilobytes ?? quantile(cpu, 0.5);
    const ratio = median / (nginx?.kilobytes ?? quantile(nginx?.cpu ?? [], 0.5));
    const late = latencies === null ? '' : `, p99 ${latencies.p99.toFixed(2)} ms`;
    console.log(
      `  ${proxy.padEnd(24)} ${median.toFixed(1).padStart(8)} ${kilobytes === null ? 'µs' : 'kB'}, ${ratio.toFixed(2)} of nginx${late}`,
    );
  }
}

function machine(): string {
  const [first] = cpus();
  return `${cpus().length} cores, ${first?.model.trim() ?? 'unknown'}`;
}

function versions(): Record<string, string> {
  const first = (command: string, ...args: string[]): string => {
    const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    return /\d+\.\d+(?:\.\d+)?/.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[0] ?? 'none';
  };
  return {
    'Node.js': process.versions.node,
    nginx: first('nginx', '-v'),
    HAProxy: first('haproxy', '-v'),
    Caddy: first('caddy', 'version'),
  };
}

function write(rig: Rig, results: Results): void {
  const folder = join(import.meta.dirname, '..', '..', 'docs', 'benchmark');
  writeFileSync(
    join(folder, 'results.json'),
    `${JSON.stringify({ pinned: rig.pinned, ...results }, null, 1)}\n`,
  );
  writeFileSync(join(folder, 'results.md'), writeMarkdown(results));
  writeFileSync(join(folder, 'results.svg'), writeSvg(results));
  console.log(`written to ${folder}`);
}
