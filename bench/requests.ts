import { Load } from './load.ts';
import { cpuMicroseconds, summary } from './measure.ts';
import { freePort, host, Rig } from './rig.ts';

// CPU time of the proxy's own processes per proxied request, ours beside nginx's: client certificate required, OU
// checked, the same identity headers, a 100-byte answer, keep-alive on both sides. Many short rounds, ours and
// nginx's in turn, after a warm-up and without handshakes; proxies on one core, load and origin on another.
// Only the ratio means something.

const rounds = Number(process.env['ROUNDS'] ?? 15);
const requests = Number(process.env['REQUESTS'] ?? 4000);
const warmUpRequests = 20_000;
const connections = 16;

/** The directives that ingress-nginx's template writes for this host. */
const nginxProxy = (port: number, originPort: number): string =>
  `upstream origin { server 127.0.0.1:${originPort}; keepalive 320; keepalive_requests 1000000; }
server { listen 127.0.0.1:${port} ssl; server_name ${host}; ssl_certificate server.pem; ssl_certificate_key server-key.pem;
ssl_protocols TLSv1.2 TLSv1.3; ssl_client_certificate root.pem; ssl_verify_client on; ssl_verify_depth 1;
if ($ssl_client_s_dn !~ "OU=ITOps") { return 403; }
location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
proxy_set_header Host $host; proxy_set_header ssl-client-verify $ssl_client_verify;
proxy_set_header ssl-client-subject-dn $ssl_client_s_dn; proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;
proxy_set_header X-Request-ID $request_id; proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $host;
proxy_set_header X-Forwarded-Port ${port}; proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Scheme $scheme; proxy_set_header X-Scheme $scheme; } }`;

const ourProxy = (originPort: number): string => `limits: { keepAliveRequests: 1000000 }
hosts:
  - names: [${host}]
    certificate: { cert: server.pem, key: server-key.pem }
    clientAuth: { mode: require, ca: root.pem }
    routes: [{ path: /, upstream: origin, policy: { ou: ITOps } }]
upstreams: { origin: { endpoints: ['127.0.0.1:${originPort}'] } }
`;

export async function measureRequests(rig: Rig): Promise<void> {
  const { ca, client } = await rig.writeMaterial();
  const [originPort, nginxPort] = [await freePort(), await freePort()];
  const answer = `default_type text/plain; return 200 "${'x'.repeat(100)}";`;
  await rig.startNginx(
    0,
    'origin',
    originPort,
    `server { listen 127.0.0.1:${originPort}; location / { ${answer} } }`,
  );
  const started = [
    await rig.startOurs(1, ourProxy(originPort)),
    await rig.startNginx(1, 'proxy', nginxPort, nginxProxy(nginxPort, originPort)),
  ];
  const target = { connections, host, cert: client.bundle, key: client.key, ca };
  const proxies = await Promise.all(
    started.map(async (proxy) => ({
      ...proxy,
      load: await Load.open({ ...target, port: proxy.port }),
      perRequest: [] as number[],
    })),
  );
  for (const { load } of proxies) await load.run(warmUpRequests);
  for (let round = 0; round < rounds; round++) {
    for (const { pid, load, perRequest } of round % 2 === 0 ? proxies : proxies.toReversed()) {
      const before = cpuMicroseconds(pid);
      await load.run(requests);
      perRequest.push((cpuMicroseconds(pid) - before) / requests);
    }
  }
  for (const { load } of proxies) load.close();
  const [our, theirs] = proxies.map(({ perRequest }) => perRequest) as [number[], number[]];
  const where = rig.pinned ? 'proxies on a core of their own' : 'nothing pinned to a core';
  console.log(
    `CPU of the proxy's processes per request, ${rounds} rounds of ${requests}, ${connections} connections, ${where}:`,
  );
  for (const { name, perRequest } of proxies) console.log(`  ${name}: ${summary(perRequest, 1)} µs`);
  const ratios = our.map((value, index) => value / theirs[index]!);
  console.log(`  ratio, round by round: ${summary(ratios, 2)}`);
}
