import { createPrivateKey } from 'node:crypto';
import t from 'tap';
import type { ClientAuthMode } from '../../src/config/schema.ts';
import { createAuthority } from '../support/pki.ts';
import { request, type ClientCertificate } from '../support/client.ts';
import { startBackend, startProxy } from '../support/proxy.ts';

// The table of nginx 1.22.1 with ingress-nginx's directives: {mode} × {certificate} × {TLS version}.
// A number is a status we answer; text is the ssl-client-verify that the backend sees behind a 200.

const root = await createAuthority({ cn: 'Root A' });
const intermediate = await createAuthority({ cn: 'Int A', parent: root });
const deep = await createAuthority({ cn: 'Int A2', parent: intermediate });
const foreignRoot = await createAuthority({ cn: 'Root X' });
// A leaf with its issuer's own name and key.
const myself = await createAuthority({ cn: 'myself' });
const selfSigned = await myself.issue({ cn: 'myself', key: createPrivateKey(myself.key) });
const day = 86_400_000;
const client = { ou: 'ITOps', cn: 'roshankhatri' };

const revoked = await intermediate.issue(client);
const unsentIntermediate = await intermediate.issue(client);
const certificates: Record<string, ClientCertificate | null> = {
  none: null,
  good: await intermediate.issue(client),
  'other OU': await intermediate.issue({ ...client, ou: 'Sales' }),
  expired: await intermediate.issue({
    ...client,
    notBefore: Date.now() - 9 * day,
    notAfter: Date.now() - day,
  }),
  'not yet valid': await intermediate.issue({ ...client, notBefore: Date.now() + day }),
  'foreign CA': await foreignRoot.issue(client),
  'self-signed': selfSigned,
  'wrong EKU': await intermediate.issue({ ...client, usage: 'server' }),
  revoked,
  'intermediate missing': { bundle: unsentIntermediate.cert, key: unsentIntermediate.key },
  'two intermediates': await deep.issue(client),
};

const noCertificate = { status: 400, body: 'No required SSL certificate was sent' };
const certificateError = { status: 400, body: 'The SSL certificate error' };
const forbidden = { status: 403, body: 'client certificate unauthorized' };
type Expected = { status: number; body: string } | string;
const policyIn = (mode: ClientAuthMode): Expected => (mode === 'off' ? 'NONE' : forbidden);

const expectations: Record<string, (mode: ClientAuthMode) => Expected> = {
  none: (mode) => (mode === 'require' ? noCertificate : 'NONE'),
  good: (mode) => (mode === 'off' ? 'NONE' : 'SUCCESS'),
  'other OU': policyIn,
  expired: failsAlways,
  'not yet valid': failsAlways,
  'foreign CA': (mode) => untrusted(mode, 'unable to verify the first certificate'),
  'self-signed': (mode) => untrusted(mode, 'self-signed certificate'),
  'wrong EKU': failsAlways,
  revoked: failsAlways,
  'intermediate missing': (mode) => untrusted(mode, 'unable to verify the first certificate'),
  'two intermediates': failsAlways,
};

function failsAlways(mode: ClientAuthMode): Expected {
  return mode === 'off' ? 'NONE' : certificateError;
}

function untrusted(mode: ClientAuthMode, words: string): Expected {
  if (mode === 'off') return 'NONE';
  return mode === 'optional_no_ca' ? `FAILED:${words}` : certificateError;
}

/** Reasons in log and metrics, where the certificate is the reason. */
const reasons: Record<string, string> = {
  none: 'no_certificate',
  expired: 'expired',
  'not yet valid': 'not_yet_valid',
  'foreign CA': 'untrusted',
  'self-signed': 'self_signed',
  'wrong EKU': 'bad_purpose',
  revoked: 'revoked',
  'intermediate missing': 'untrusted',
  'two intermediates': 'chain_too_long',
};

const modes: readonly ClientAuthMode[] = ['require', 'optional', 'optional_no_ca', 'off'];
// With a CRL, OpenSSL asks for one of every issuer, a stranger's too, and its last error is that there is none.
const nameOf = (mode: ClientAuthMode, crl = false): string =>
  `${crl ? 'crl.' : ''}${mode.replaceAll('_', '-')}.test`;
// The path without a policy shows the verdict alone; /itops adds the policy where a mode can carry one.
const server = await root.issue({
  cn: 'server',
  hosts: modes.flatMap((mode) => [nameOf(mode), nameOf(mode, true)]),
  usage: 'server',
});

await t.test('every mode answers every certificate as the table says', async (t) => {
  const backend = await startBackend(t, (request, response) => {
    response.end(String(request.headers['ssl-client-verify'] ?? 'no header'));
  });
  const proxy = await startProxy(
    t,
    {
      hosts: modes
        .flatMap((mode) => [
          { mode, crl: false },
          { mode, crl: true },
        ])
        .map(({ mode, crl }) => ({
          names: [nameOf(mode, crl)],
          certificate: { cert: 'server.pem', key: 'server.key' },
          ...(mode === 'off'
            ? {}
            : { clientAuth: { mode, ca: 'root.pem', ...(crl ? { crl: 'crl.pem' } : {}) } }),
          routes: [
            { path: '/', upstream: 'backend' },
            ...(mode === 'off' ? [] : [{ path: '/itops', upstream: 'backend', policy: { ou: 'ITOps' } }]),
          ],
        })),
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    },
    {
      'server.pem': server.bundle,
      'server.key': server.key,
      'root.pem': root.cert,
      'crl.pem': root.crl() + intermediate.crl({ revoked: [revoked] }) + deep.crl(),
    },
  );
  for (const mode of modes) {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const [name, certificate] of Object.entries(certificates)) {
        const title = `${mode}, ${version}, ${name}`;
        const expected = expectations[name]!(mode);
        const path = name === 'other OU' && mode !== 'off' ? '/itops' : '/';
        const before = proxy.log.length;
        const host = nameOf(mode, name === 'revoked');
        const answer = await request({
          port: proxy.port,
          serverName: host,
          host,
          version,
          certificate,
          path,
        });
        if (typeof expected === 'string') {
          t.equal(answer.status, 200, title);
          t.equal(answer.body, expected, `${title}: what the backend sees`);
          continue;
        }
        t.equal(answer.status, expected.status, title);
        t.match(answer.body, expected.body, `${title}: what the client is told`);
        if (expected.status === 400)
          t.equal(answer.headers['connection'], 'close', `${title}: closes as nginx does`);
        const reason = name === 'other OU' ? 'policy_ou' : reasons[name];
        await proxy.settled();
        const logged = JSON.stringify(proxy.log.slice(before));
        t.match(logged, `"${reason}"`, `${title}: the log says ${reason}`);
      }
    }
  }
  const metrics = await proxy.metrics();
  for (const reason of new Set(Object.values(reasons))) {
    t.match(
      metrics,
      new RegExp(
        `mtls_handshakes_total\\{[^}]*host="(?:crl.)?require.test",[^}]*reason="${reason}"[^}]*\\} [1-9]`,
      ),
      `${reason} is counted`,
    );
  }
});

await t.test(
  'strict aborts the handshake of whoever is not authorised, and still says why in the log',
  async (t) => {
    const backend = await startBackend(t);
    const proxy = await startProxy(
      t,
      {
        hosts: [
          {
            names: ['strict.test'],
            certificate: { cert: 'server.pem', key: 'server.key' },
            clientAuth: { mode: 'require', strict: true, ca: 'root.pem' },
            routes: [{ path: '/', upstream: 'backend' }],
          },
        ],
        upstreams: { backend: { endpoints: [backend.endpoint] } },
      },
      { 'server.pem': server.bundle, 'server.key': server.key, 'root.pem': root.cert },
    );
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const name of ['none', 'expired', 'self-signed', 'two intermediates']) {
        const before = proxy.log.length;
        const certificate = certificates[name]!;
        const answer = await request({ port: proxy.port, host: 'strict.test', version, certificate }).catch(
          (error: Error) => error,
        );
        t.ok(answer instanceof Error || answer.status === 0, `${version}, ${name}: no HTTP answer`);
        await proxy.settled();
        t.match(
          JSON.stringify(proxy.log.slice(before)),
          `"${reasons[name]}"`,
          `${version}, ${name}: ${reasons[name]}`,
        );
      }
      const good = await request({
        port: proxy.port,
        host: 'strict.test',
        version,
        certificate: certificates['good']!,
      });
      t.equal(good.status, 200, `${version}: a good certificate passes`);
    }
  },
);

await t.test('a CRL past its nextUpdate refuses every client, as nginx does', async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['crl.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'optional', ca: 'root.pem', crl: 'crl.pem' },
          routes: [{ path: '/', upstream: 'backend' }],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
    },
    {
      'server.pem': server.bundle,
      'server.key': server.key,
      'root.pem': root.cert,
      'crl.pem':
        root.crl() +
        intermediate.crl({ revoked: [], thisUpdate: Date.now() - 9 * day, nextUpdate: Date.now() - day }),
    },
  );
  const answer = await request({ port: proxy.port, host: 'crl.test', certificate: certificates['good']! });
  t.equal(answer.status, 400);
  await proxy.settled();
  t.match(JSON.stringify(proxy.log), 'crl_expired');
});
