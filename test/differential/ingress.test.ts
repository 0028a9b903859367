import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { App } from '../../src/app.ts';
import { createManifestSource } from '../../src/ingress/manifest-source.ts';
import type { Ingress } from '../../src/ingress/object.ts';
import { parseManifest } from '../../src/ingress/parse-manifest.ts';
import { readManifestFlags } from '../../src/ingress/serve-options.ts';
import { createObservability } from '../../src/observe/observe.ts';
import { freePort } from '../support/free-port.ts';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { type Compared, judge, playAll } from './difference.ts';
import { ingressCases } from './ingress-cases.ts';
import { ingressDifferences } from './ingress-differences.ts';
import { manifests, tlsHosts } from './ingress-manifests.ts';
import { writeIngressConfig } from './nginx-template.ts';
import { startEchoBackend, startNginx } from './sides.ts';

// The same Ingresses, read by us and rendered as ingress-nginx renders them for nginx: every request gets the same answer, and
// the upstream the same request.

await t.test(
  'Ingresses do what they do under nginx, but for what is listed',
  needs('nginx', '-v'),
  async (t) => {
    const root = await createAuthority({ cn: 'Root A' });
    const intermediate = await createAuthority({ cn: 'Int A', parent: root });
    const stranger = await createAuthority({ cn: 'Root X' });
    const client = { ou: 'ITOps', cn: 'roshankhatri' };
    const certificates = {
      good: await intermediate.issue(client),
      other: await intermediate.issue({ ou: 'Sales', cn: 'somebody' }),
      foreign: await stranger.issue(client),
    };
    const server = await root.issue({ cn: 'server', hosts: tlsHosts, usage: 'server' });
    const users = 'admin:$apr1$GkPDDRfV$EkkxxMxS1npKjgajv8JkB.\nsha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n';
    const { endpoint } = await startEchoBackend(t, (request, response) => {
      // What an application says to its client, for what the proxy makes of it.
      for (const name of ['location', 'set-cookie']) {
        const value = request.headers[`x-say-${name}`];
        if (typeof value === 'string') response.setHeader(name, value);
      }
    });
    const objects = manifests({
      'tls.crt': server.bundle,
      'tls.key': server.key,
      'ca.crt': root.cert,
      auth: users,
    });
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    const parsed = parseManifest('all.json', { text, line: 1 });
    if ('syntax' in parsed) throw new Error(JSON.stringify(parsed.syntax));
    const ingresses = parsed.objects.filter((object): object is Ingress => object.kind === 'Ingress');
    const files = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert, users };
    const [nginxHttp, nginxHttps] = (await startNginx(t, 2, (dir, [http = 0, https = 0]) =>
      writeIngressConfig(dir, ingresses, files, {
        endpoint,
        http,
        https,
        secrets: { 'default/pki': { 'ca.crt': 'ca.pem' }, 'default/users': { auth: 'users' } },
      }),
    )) as [number, number];

    const flags = readManifestFlags({
      'watch-ingress-without-class': true,
      resolve: [`default/app=${endpoint}`],
      address: '127.0.0.1',
      // Known beforehand: redirects name it.
      'https-port': String(await freePort()),
      'http-port': '0',
      'admin-port': '0',
    });
    // Not another testdir: nginx's would be gone.
    const folder = mkdtempSync(join(tmpdir(), 'ingress-differential-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'all.json'), text);
    if ('fault' in flags) throw new Error(flags.fault);
    const log: string[] = [];
    const app = new App(
      createManifestSource(folder, flags),
      createObservability({ destination: { write: (line: string) => void log.push(line) } }),
    );
    t.teardown(() => app.stop());
    const { https, http } = await app.start();
    const cases = ingressCases(certificates);
    t.ok(cases.length >= 300, `${cases.length} requests`);
    const [plain, secure] = [cases.filter((one) => one.plain), cases.filter((one) => !one.plain)];
    const compared: Compared[] = [
      ...(await playAll(plain, { nginx: nginxHttp, ours: http!.port })),
      ...(await playAll(secure, { nginx: nginxHttps, ours: https.port })),
    ];
    judge(
      t,
      compared.map((one) => withoutPorts(one, { https: https.port, http: http!.port, nginxHttp })),
      ingressDifferences,
    );
  },
);

/** Each listens on ports of its own, and says so: a redirect to ours reads as one to 443, where a controller listens. */
function withoutPorts(
  one: Compared,
  ports: { readonly https: number; readonly http: number; readonly nginxHttp: number },
): Compared {
  const divergences = one.divergences.flatMap((divergence) => {
    const { fact, nginx, ours } = divergence;
    if (
      fact === 'header x-forwarded-port' &&
      nginx === String(ports.nginxHttp) &&
      ours === String(ports.http)
    ) {
      return [];
    }
    if (fact !== 'answer location') return [divergence];
    const told = ours?.replace(`:${ports.https}`, '') ?? null;
    return told === nginx ? [] : [{ ...divergence, ours: told }];
  });
  return { ...one, divergences };
}
