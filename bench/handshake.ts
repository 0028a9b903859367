import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dial, Order, Reply } from './dialler.ts';
import { cpuMicroseconds, type Memory, memoryKilobytes, summary } from './measure.ts';
import { freePort, host, type Proxy, Rig } from './rig.ts';

// CPU time of the proxy's own processes per connection, ours beside nginx's and HAProxy's: accepted, handshake with a
// P-256 client certificate and its intermediate, one request that all three answer themselves (404, once the OU was
// checked), closed by the client. One worker, one thread each. Then the memory of idle keep-alive connections.
// The three take turns in short rounds; only the ratios mean something.

const rounds = Number(process.env['ROUNDS'] ?? 15);
const handshakes = Number(process.env['HANDSHAKES'] ?? 300);
const idleConnections = Number(process.env['IDLE'] ?? 2000);
/** The first kind warms V8 up, and is met again by the others in all but the handshake. */
const warmUp = { first: 5000, other: 1000 };
const atOnce = 8;
/** V8 gives garbage back once it has been idle for some seconds. */
const settleMs = Number(process.env['SETTLE'] ?? 15_000);

/** A kind of handshake. */
export interface Kind {
  readonly name: string;
  readonly dial: Pick<Dial, 'version' | 'groups' | 'resume'>;
}

export const handshakeKinds: readonly Kind[] = [
  { name: 'TLS 1.3, full', dial: { version: 'TLSv1.3', groups: 'X25519:P-256', resume: false } },
  { name: 'TLS 1.3, resumed', dial: { version: 'TLSv1.3', groups: 'X25519:P-256', resume: true } },
  { name: 'TLS 1.2, full', dial: { version: 'TLSv1.2', groups: 'X25519:P-256', resume: false } },
  { name: 'TLS 1.2, resumed', dial: { version: 'TLSv1.2', groups: 'X25519:P-256', resume: true } },
  // What browsers and OpenSSL 3.5 offer: X25519MLKEM768 first, which only a proxy with OpenSSL 3.5 takes up.
  { name: 'TLS 1.3, full, post-quantum offered', dial: { version: 'TLSv1.3', groups: null, resume: false } },
];

async function startProxies(rig: Rig): Promise<Proxy[]> {
  const [nginxPort, haproxyPort] = [await freePort(), await freePort()];
  return [
    await rig.startOurs(
      1,
      `hosts:
  - names: [${host}]
    certificate: { cert: server.pem, key: server-key.pem }
    clientAuth: { mode: require, ca: root.pem }
    policy: { ou: ITOps }
    routes: [{ path: /elsewhere, upstream: none }]
upstreams: { none: { endpoints: ['127.0.0.1:9'] } }
`,
    ),
    await rig.startNginx(
      1,
      'proxy',
      nginxPort,
      `server { listen 127.0.0.1:${nginxPort} ssl; server_name ${host}; ssl_certificate server.pem; ssl_certificate_key server-key.pem;
ssl_protocols TLSv1.2 TLSv1.3; ssl_client_certificate root.pem; ssl_verify_client on; ssl_verify_depth 1;
ssl_session_cache shared:SSL:10m; ssl_session_timeout 10m; ssl_session_tickets on;
if ($ssl_client_s_dn !~ "OU=ITOps") { return 403; } return 404; }`,
    ),
    await rig.startHaproxy(
      1,
      haproxyPort,
      `frontend https
  bind 127.0.0.1:${haproxyPort} ssl crt haproxy.pem ca-file root.pem verify required ssl-min-ver TLSv1.2
  http-request deny deny_status 403 unless { ssl_c_s_dn(OU) -m str ITOps }
  http-request return status 404
`,
    ),
  ];
}

/** So many connections of a kind. */
export function dial(port: number, kind: Kind, count: number, keep = false): Order {
  return { do: 'dial', dial: { ...kind.dial, port, host, count, atOnce, keep } };
}

/** The client in its own process. */
export class Dialler {
  readonly #child;

  constructor(rig: Rig) {
    this.#child = rig.start(0, [process.execPath, join(import.meta.dirname, 'dialler.ts')], true);
    this.#child.stdout!.resume();
  }

  async tell(order: Order): Promise<void> {
    this.#child.send(order);
    const [reply] = (await once(this.#child, 'message')) as [Reply];
    if (reply !== null) throw new Error(reply);
  }

  dial(port: number, kind: Kind, count: number, keep = false): Promise<void> {
    return this.tell(dial(port, kind, count, keep));
  }
}

export async function measureHandshakes(rig: Rig): Promise<void> {
  const { client } = await rig.writeMaterial();
  const proxies = await startProxies(rig);
  const dialler = new Dialler(rig);
  await dialler.tell({ do: 'use', credentials: { cert: client.bundle, key: client.key } });
  const where = rig.pinned ? 'proxies on a core of their own' : 'nothing pinned to a core';
  console.log(
    `CPU of the proxy's processes per connection, in µs, ${rounds} rounds of ${handshakes}, ${atOnce} at once, ${where}:`,
  );
  const only = process.env['ONLY'];
  for (const kind of handshakeKinds) {
    if (only === undefined || kind.name.includes(only)) await measureKind(kind, proxies, dialler);
  }
  if (idleConnections > 0) await measureMemory(rig, dialler);
}

async function measureKind(kind: Kind, proxies: readonly Proxy[], dialler: Dialler): Promise<void> {
  const results = proxies.map((proxy) => ({ proxy, values: [] as number[] }));
  for (const { proxy } of results) {
    await dialler.dial(proxy.port, kind, kind === handshakeKinds[0] ? warmUp.first : warmUp.other);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { proxy, values } of round % 2 === 0 ? results : results.toReversed()) {
      const before = cpuMicroseconds(proxy.pid);
      await dialler.dial(proxy.port, kind, handshakes);
      values.push((cpuMicroseconds(proxy.pid) - before) / handshakes);
    }
  }
  report(kind.name, results, 0);
}

/**
 * What each further connection takes: from a thousand open ones to so many more, so that what the first ones fill
 * (a heap that grows in steps, pools) is not counted as theirs. On proxies that have done nothing else.
 */
async function measureMemory(rig: Rig, dialler: Dialler): Promise<void> {
  const [kind] = handshakeKinds as [Kind];
  const proxies = await startProxies(rig);
  console.log(
    `Memory per idle keep-alive connection (${kind.name}), in kB, ${idleConnections} more than 1000, ${settleMs / 1000} s idle:`,
  );
  const afterOpening = async (count: number): Promise<Memory[]> => {
    for (const { port } of proxies) await dialler.dial(port, kind, count, true);
    await sleep(settleMs);
    return proxies.map(({ pid }) => memoryKilobytes(pid));
  };
  const before = await afterOpening(1000);
  const after = await afterOpening(idleConnections);
  for (const measure of ['pss', 'rss'] as const) {
    const each = (index: number): number =>
      (after[index]![measure] - before[index]![measure]) / idleConnections;
    const results = proxies.map((proxy, index) => ({ proxy, values: [each(index)] }));
    report(measure.toUpperCase(), results, 1);
  }
  await dialler.tell({ do: 'close' });
}

interface Result {
  readonly proxy: Proxy;
  readonly values: readonly number[];
}

/** A line for each proxy, and what ours is to each of the others, round by round. */
function report(title: string, results: readonly Result[], digits: number): void {
  console.log(`${title}:`);
  const [ours] = results;
  for (const { proxy, values } of results) {
    const line = `  ${proxy.name.padEnd(14)} ${figures(values, digits)}`;
    const ratios = ours!.values.map((value, index) => value / values[index]!);
    console.log(proxy === ours!.proxy ? line : `${line}; ours is ${figures(ratios, 2)} of it`);
  }
}

function figures(values: readonly number[], digits: number): string {
  return values.length === 1 ? values[0]!.toFixed(digits) : summary(values, digits);
}
