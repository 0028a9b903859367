import { childrenOf, cpuMicroseconds, summary } from './measure.ts';
import { freePort, host, type Rig } from './rig.ts';
import { oursWith, sideBySide, type Variant } from './side-by-side.ts';

const nginxWith = (workers: number): Variant => ({
  name: `nginx, workers: ${workers}`,
  start: async (rig, originPort) => {
    const port = await freePort();
    const http = `upstream origin { server 127.0.0.1:${originPort}; keepalive 320; keepalive_requests 1000000; }
server { listen 127.0.0.1:${port} ssl reuseport; server_name ${host}; ssl_certificate server.pem; ssl_certificate_key server-key.pem;
ssl_client_certificate root.pem; ssl_verify_client on; ssl_verify_depth 1;
location / { if ($ssl_client_s_dn !~ "OU=ITOps") { return 403; } proxy_pass http://origin; proxy_http_version 1.1;
proxy_set_header Connection ""; proxy_set_header ssl-client-subject-dn $ssl_client_s_dn; } }`;
    return rig.startNginx(1, `workers-${workers}`, port, http, workers);
  },
});

/**
 * What a second worker brings, ours and nginx's. Load and origin need a core, so that a machine of two has one to give: two
 * workers share it, which costs both of them switches and cache. What they would do on cores of their own is at least what
 * follows from the CPU time a request takes with one and with two, and from the share that the busier of the two had.
 */
export async function measureWorkers(rig: Rig): Promise<void> {
  const variants = [
    oursWith('ours, workers: 1', 'workers: 1'),
    oursWith('ours, workers: 2', 'workers: 2'),
    nginxWith(1),
    nginxWith(2),
  ];
  const busiest: number[][] = variants.map(() => []);
  let before: readonly number[] = [];
  const taken = await sideBySide(rig, variants, (variant, { pid }, when) => {
    const now = childrenOf(pid).map(cpuMicroseconds);
    if (when === 'before') before = now;
    else {
      const used = now.map((value, index) => value - before[index]!);
      busiest[variant]!.push(Math.max(...used) / used.reduce((sum, value) => sum + value, 0));
    }
  });
  for (const [name, at] of [
    ['ours', 0],
    ['nginx', 2],
  ] as const) {
    const share = busiest[at + 1]!;
    const growth = taken[at]!.cpu.map((cpu, round) => cpu / (taken[at + 1]!.cpu[round]! * share[round]!));
    console.log(
      `${name}: the busier worker had ${summary(share, 2)}; two do ${summary(growth, 2)} times what one does`,
    );
  }
}
