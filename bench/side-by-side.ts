import { Load } from './load.ts';
import { cpuMicroseconds, summary } from './measure.ts';
import { freePort, host, type Proxy, type Rig } from './rig.ts';

// Our proxy beside itself with other settings: they take turns in short rounds, with the same requests for pages of 100 bytes.
// Two processes of one configuration differ by microseconds, so a difference of less than that says nothing.

const rounds = Number(process.env['ROUNDS'] ?? 15);
const requests = Number(process.env['REQUESTS'] ?? 4000);
const warmUpRequests = 20_000;
const connections = Number(process.env['CONNECTIONS'] ?? 16);

export interface Variant {
  readonly name: string;
  readonly start: (rig: Rig, originPort: number) => Promise<Proxy>;
}

/** What a variant took, one figure for each round. */
export interface Taken {
  readonly name: string;
  readonly proxy: Proxy;
  /** CPU time of the proxy and its children per request, in microseconds. */
  readonly cpu: readonly number[];
  readonly perSecond: readonly number[];
}

const config = (originPort: number, settings: string): string => `limits: { keepAliveRequests: 1000000 }
${settings}
hosts:
  - names: [${host}]
    certificate: { cert: server.pem, key: server-key.pem }
    clientAuth: { mode: require, ca: root.pem }
    routes: [{ path: /, upstream: origin, policy: { ou: ITOps } }]
upstreams: { origin: { endpoints: ['127.0.0.1:${originPort}'] } }
`;

/** Our proxy on the core of proxies. @param settings YAML at the top of its configuration. */
export function oursWith(name: string, settings: string): Variant {
  return { name, start: (rig, originPort) => rig.startOurs(1, config(originPort, settings)) };
}

/** @param watch Called with each variant around its every round. */
export async function sideBySide(
  rig: Rig,
  variants: readonly Variant[],
  watch: (variant: number, proxy: Proxy, when: 'before' | 'after') => void = () => {},
): Promise<readonly Taken[]> {
  const { ca, client } = await rig.writeMaterial();
  const originPort = await freePort();
  const answer = `default_type text/plain; return 200 "${'x'.repeat(100)}";`;
  await rig.startNginx(
    0,
    'origin',
    originPort,
    `server { listen 127.0.0.1:${originPort}; location / { ${answer} } }`,
  );
  const target = { connections, host, cert: client.bundle, key: client.key, ca };
  const runs = [];
  for (const { name, start } of variants) {
    const proxy = await start(rig, originPort);
    const load = await Load.open({ ...target, port: proxy.port });
    await load.run(warmUpRequests);
    runs.push({ name, proxy, load, cpu: [] as number[], perSecond: [] as number[] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      const index = runs.indexOf(run);
      watch(index, run.proxy, 'before');
      const before = cpuMicroseconds(run.proxy.pid);
      const startedAt = performance.now();
      await run.load.run(requests);
      run.perSecond.push((1000 * requests) / (performance.now() - startedAt));
      run.cpu.push((cpuMicroseconds(run.proxy.pid) - before) / requests);
      watch(index, run.proxy, 'after');
    }
  }
  for (const { load } of runs) load.close();
  console.log(`CPU of the proxy per request, ${rounds} rounds of ${requests}, ${connections} connections:`);
  for (const { name, cpu } of runs) console.log(`  ${name}: ${summary(cpu, 1)} µs`);
  return runs;
}

/** Of the first two, round by round. */
export function tellDifference([one, other]: readonly Taken[]): void {
  const differences = one!.cpu.map((value, index) => value - other!.cpu[index]!);
  console.log(`  difference, round by round: ${summary(differences, 2)} µs`);
}
