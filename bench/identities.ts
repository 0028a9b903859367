import { Inventory } from '../src/observe/inventory/inventory.ts';
import { IdentityRecorder } from '../src/observe/inventory/recorder.ts';
import { forward, requestEvent, testConnection, testHost, testIdentity } from '../test/observe/fixture.ts';
import { Load } from './load.ts';
import { cpuMicroseconds, summary } from './measure.ts';
import { freePort, host, Rig } from './rig.ts';

// What noting identities costs. First alone: one request told to the recorder, the sixteen connections of four identities in
// turn. Then in CPU time of the proxy per proxied request: two of ours, one of which keeps none. Two processes of one
// configuration differ by microseconds (KEEP=10000,10000 shows it), so the first figure is the one to go by.

const rounds = Number(process.env['ROUNDS'] ?? 15);
const requests = Number(process.env['REQUESTS'] ?? 4000);
const warmUpRequests = 20_000;
const connections = 16;
const kept = (process.env['KEEP'] ?? '10000,0').split(',').map(Number);

const config = (originPort: number, keep: number): string => `limits: { keepAliveRequests: 1000000 }
inventory: { keep: ${keep} }
hosts:
  - names: [${host}]
    certificate: { cert: server.pem, key: server-key.pem }
    clientAuth: { mode: require, ca: root.pem }
    routes: [{ path: /, upstream: origin, policy: { ou: ITOps } }]
upstreams: { origin: { endpoints: ['127.0.0.1:${originPort}'] } }
`;

export async function measureIdentities(rig: Rig): Promise<void> {
  measureRecorder();
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
  const proxies = [];
  for (const keep of kept) {
    const proxy = await rig.startOurs(1, config(originPort, keep));
    const load = await Load.open({ ...target, port: proxy.port });
    await load.run(warmUpRequests);
    proxies.push({ pid: proxy.pid, load, perRequest: [] as number[] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { pid, load, perRequest } of round % 2 === 0 ? proxies : proxies.toReversed()) {
      const before = cpuMicroseconds(pid);
      await load.run(requests);
      perRequest.push((cpuMicroseconds(pid) - before) / requests);
    }
  }
  for (const { load } of proxies) load.close();
  const [noting, without] = proxies.map(({ perRequest }) => perRequest) as [number[], number[]];
  console.log(`CPU of the proxy per request, ${rounds} rounds of ${requests}, ${connections} connections:`);
  console.log(`  keep ${kept[0]}: ${summary(noting, 1)} µs`);
  console.log(`  keep ${kept[1]}: ${summary(without, 1)} µs`);
  const differences = noting.map((value, index) => value - without[index]!);
  console.log(`  difference, round by round: ${summary(differences, 2)} µs`);
}

function measureRecorder(): void {
  const recorder = new IdentityRecorder(new Inventory(10_000, 0));
  const to = testHost(host);
  const events = Array.from({ length: connections }, (_, index) => {
    const identity = { ...testIdentity, sha256: String(index % 4).padStart(64, '0') };
    return requestEvent(forward(to), { connection: testConnection({ identity, notes: { identity: null } }) });
  });
  const times = 1_000_000;
  const perRequest: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let index = 0; index < times; index++) recorder.request(events[index % connections]!);
    const { user, system } = process.cpuUsage(before);
    perRequest.push((user + system) / times);
  }
  console.log(`the recorder alone, per request, ${rounds} rounds of ${times}: ${summary(perRequest, 3)} µs`);
}
