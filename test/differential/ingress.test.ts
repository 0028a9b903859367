import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { judge } from './difference.ts';
import { ingressCases } from './ingress-cases.ts';
import { ingressDifferences } from './ingress-differences.ts';
import { manifests, tlsHosts } from './ingress-manifests.ts';
import { startIngressSides } from './ingress-sides.ts';
import { startEchoBackend } from './sides.ts';

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
    const sides = await startIngressSides(t, {
      objects,
      files: { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': root.cert, users },
      services: { 'default/app': [endpoint] },
      secrets: { 'default/pki': { 'ca.crt': 'ca.pem' }, 'default/users': { auth: 'users' } },
    });
    const cases = ingressCases(certificates);
    t.ok(cases.length >= 300, `${cases.length} requests`);
    judge(t, await sides.play(cases), ingressDifferences);
  },
);
