import { createPrivateKey } from 'node:crypto';
import t from 'tap';
import type { ClientCertificate } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { judge, playAll, type Difference } from './difference.ts';
import type { HostSpec } from './hosts.ts';
import type { Case } from './observe.ts';
import { startSides } from './sides.ts';

// {mode} × {CRL} × {match-cn} × {certificate} × {TLS version}, with nginx as the judge.

const forwarded = /^forwarded 200$/;
const unauthorized = /^403 client certificate unauthorized$/;

const differences: readonly Difference[] = [
  {
    cases: /match-cn.*, (?:longer CN|CN in another attribute)$/,
    fact: 'outcome',
    nginx: forwarded,
    ours: unauthorized,
    reason: 'match-cn searches the text of the whole subject; a CN of ours is that attribute’s whole value',
  },
  {
    cases:
      /no-ca.match-cn.*, (?:foreign CA.*(?<!expired)|self-signed|intermediate missing|two intermediates)$/,
    fact: 'outcome',
    nginx: forwarded,
    ours: /^40[03] (?:client certificate unauthorized|The SSL certificate error)$/,
    reason: 'a name in a certificate that was not verified satisfies no policy (a rogue CA writes any name)',
  },
  {
    cases: /^optional-no-ca.test, .*, two intermediates$/,
    fact: 'outcome',
    nginx: forwarded,
    ours: /^400 The SSL certificate error$/,
    reason:
      'OpenSSL stops at the depth and calls the rest untrusted, which optional_no_ca lets pass; too long a chain is refused in every mode',
  },
  {
    cases: /^optional-no-ca.crl.*, (?:foreign CA of the same name|intermediate missing)$/,
    fact: 'outcome',
    nginx: forwarded,
    ours: /^400 The SSL certificate error$/,
    reason:
      'with a CRL nginx refuses strangers, but not who sends a certificate without its issuer: so a revoked client could',
  },
];

const day = 86_400_000;
const client = { ou: 'ITOps', cn: 'roshankhatri' };

await t.test('every verdict is nginx’s, but for those that are listed', needs('nginx', '-v'), async (t) => {
  const root = await createAuthority({ cn: 'Root A' });
  const intermediate = await createAuthority({ cn: 'Int A', parent: root });
  const deep = await createAuthority({ cn: 'Int A2', parent: intermediate });
  const pathLength = await createAuthority({ cn: 'Int P', parent: root, pathLen: 0 });
  const belowPathLength = await createAuthority({ cn: 'Int P2', parent: pathLength });
  const notCa = await createAuthority({ cn: 'No CA', parent: root, ca: false });
  const foreignRoot = await createAuthority({ cn: 'Root X' });
  const foreignIntermediate = await createAuthority({ cn: 'Int X', parent: foreignRoot });
  const sameName = await createAuthority({ cn: 'Root A' });
  const oldIntermediate = await createAuthority({
    cn: 'Int Old',
    parent: root,
    notBefore: Date.now() - 90 * day,
    notAfter: Date.now() - day,
  });
  const myself = await createAuthority({ cn: 'roshankhatri' });
  const revoked = await intermediate.issue(client);
  const unsent = await intermediate.issue(client);
  const foreign = await foreignIntermediate.issue(client);
  const certificates: Record<string, ClientCertificate | null> = {
    none: null,
    good: await intermediate.issue(client),
    'direct from the root': await root.issue(client),
    'RSA key': await intermediate.issue({ ...client, keyType: 'rsa' }),
    'other CN': await intermediate.issue({ ...client, cn: 'somebody' }),
    'longer CN': await intermediate.issue({ ...client, cn: 'roshankhatri2' }),
    'CN in another attribute': await intermediate.issue({
      subject: [
        ['O', 'CN=roshankhatri'],
        ['CN', 'somebody'],
      ],
    }),
    'no CN': await intermediate.issue({ subject: [['O', 'Logpoint Nepal']] }),
    expired: await intermediate.issue({
      ...client,
      notBefore: Date.now() - 9 * day,
      notAfter: Date.now() - day,
    }),
    'not yet valid': await intermediate.issue({ ...client, notBefore: Date.now() + day }),
    'foreign CA': foreign,
    'foreign CA, its root sent too': { bundle: foreign.bundle + foreignRoot.cert, key: foreign.key },
    'foreign CA of the same name': await sameName.issue(client),
    'foreign CA, expired': await foreignRoot.issue({
      ...client,
      notBefore: Date.now() - 9 * day,
      notAfter: Date.now() - day,
    }),
    'self-signed': await myself.issue({
      ...client,
      subject: [['CN', 'roshankhatri']],
      key: createPrivateKey(myself.key),
    }),
    'wrong EKU': await intermediate.issue({ ...client, usage: 'server' }),
    'no EKU': await intermediate.issue({ ...client, usage: 'none' }),
    revoked,
    'intermediate missing': { bundle: unsent.cert, key: unsent.key },
    'intermediate expired': await oldIntermediate.issue(client),
    'two intermediates': await deep.issue(client),
    'path length passed': await belowPathLength.issue(client),
    'issued by no CA': await notCa.issue(client),
  };
  const crls = root.crl() + deep.crl() + oldIntermediate.crl() + pathLength.crl() + notCa.crl();
  const crlFiles = {
    'crl.pem': crls + intermediate.crl({ revoked: [revoked] }),
    'crl-expired.pem':
      crls +
      intermediate.crl({ revoked: [], thisUpdate: Date.now() - 9 * day, nextUpdate: Date.now() - day }),
    'crl-missing.pem': root.crl(),
  };
  const hosts: HostSpec[] = [];
  for (const verify of ['on', 'optional', 'optional_no_ca', 'off'] as const) {
    for (const crl of [undefined, ...(Object.keys(crlFiles) as (keyof typeof crlFiles)[])]) {
      for (const matchCn of crl === undefined && verify !== 'off'
        ? [undefined, 'roshankhatri']
        : [undefined]) {
        const name = [
          verify.replaceAll('_', '-'),
          crl?.replace('.pem', ''),
          matchCn === undefined ? undefined : 'match-cn',
        ];
        hosts.push({
          name: `${name.filter((part) => part !== undefined).join('.')}.test`,
          clientAuth: { verify, ca: 'root.pem', ...(crl === undefined ? {} : { crl }) },
          passCertificate: true,
          ...(matchCn === undefined ? {} : { matchCn }),
        });
      }
    }
  }
  const server = await root.issue({ cn: 'server', hosts: ['on.test'], usage: 'server' });
  const sides = await startSides(t, hosts, {
    'server.pem': server.bundle,
    'server.key': server.key,
    'root.pem': root.cert,
    ...crlFiles,
  });
  const cases: Case[] = [];
  for (const { name } of hosts) {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      // The versions differ in the handshake alone; every certificate takes both ways at the main hosts.
      if (version === 'TLSv1.2' && /crl-|match/.test(name)) continue;
      for (const [which, certificate] of Object.entries(certificates)) {
        cases.push({
          title: `${name}, ${version}, ${which}`,
          serverName: name,
          version,
          certificate,
          bytes: `GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`,
        });
      }
    }
  }
  judge(t, await playAll(cases, sides), differences);
});
