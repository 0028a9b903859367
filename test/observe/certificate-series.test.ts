import { execFileSync } from 'node:child_process';
import t from 'tap';
import { readCertificates, readCrls } from '../../src/tls/certificate-facts.ts';
import { maxCaCertificates, maxHostsInDetail } from '../../src/observe/certificate-series.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { createAuthority, writeFiles, type TestAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { find, testHost, testSnapshot, valueOf } from './fixture.ts';

const create = (now?: number): Metrics =>
  new Metrics({ version: '1', process: false, ...(now === undefined ? {} : { now: () => now }) });

const at = (text: string): Date => new Date(`${text}T00:00:00Z`);

void t.test(
  'dates of server certificates, CAs and CRLs are those that openssl prints',
  needs('openssl'),
  async (t) => {
    const root = await createAuthority({ cn: 'Root', notAfter: at('2055-03-04') });
    const intermediate = await createAuthority({ cn: 'Int', parent: root, notAfter: at('2033-01-02') });
    const server = await intermediate.issue({ cn: 'a.test', usage: 'server', notAfter: at('2031-05-06') });
    const revoked = await intermediate.issue({ cn: 'revoked' });
    const crl = intermediate.crl({
      revoked: [revoked, '0102', '0103'],
      thisUpdate: at('2030-01-01'),
      nextUpdate: at('2051-02-03'),
    });
    const files = writeFiles(t.testdir(), {
      root: root.cert,
      int: intermediate.cert,
      leaf: server.cert,
      crl,
    });
    const openssl = (...args: string[]): number => {
      const [, date = ''] = execFileSync('openssl', args, { encoding: 'utf8' }).split('=');
      return Date.parse(date) / 1000;
    };
    const metrics = create(at('2030-01-01').getTime() + 90_500);
    const host = testHost('a.test', {
      certificate: { cert: server.bundle, key: server.key },
      clientAuth: { ca: intermediate.cert + root.cert, crl },
    });
    metrics.describeSnapshot(testSnapshot([host]));
    const page = await metrics.render();
    const on = { host: 'a.test' };
    t.equal(
      valueOf(page, 'mtls_server_certificate_not_after_seconds', on),
      openssl('x509', '-noout', '-enddate', '-in', files.leaf),
    );
    for (const [subject, file] of [
      ['CN=Root', files.root],
      ['CN=Int', files.int],
    ] as const) {
      t.equal(
        valueOf(page, 'mtls_ca_certificate_not_after_seconds', { ...on, subject }),
        openssl('x509', '-noout', '-enddate', '-in', file),
      );
    }
    const ofCrl = { ...on, issuer: 'CN=Int' };
    t.equal(
      valueOf(page, 'mtls_crl_next_update_seconds', ofCrl),
      openssl('crl', '-noout', '-nextupdate', '-in', files.crl),
    );
    t.equal(valueOf(page, 'mtls_crl_age_seconds', ofCrl), 90.5);
    t.equal(valueOf(page, 'mtls_crl_revoked_entries', ofCrl), 3);
  },
);

void t.test(
  'a CRL that revokes nothing counts none, and one of a CA outside the trust store shows bytes',
  async (t) => {
    const [root, foreign] = [await createAuthority({ cn: 'Root' }), await createAuthority({ cn: 'Foreign' })];
    const crls = readCrls(root.crl() + foreign.crl(), root.cert);
    t.same(
      crls.map(({ revoked }) => revoked),
      [0, 0],
    );
    t.equal(crls[0]!.issuer, 'CN=Root');
    t.match(crls[1]!.issuer, /^#30[0-9a-f]+$/);
  },
);

void t.test('a CRL of fifty thousand entries is read', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const revoked = Array.from({ length: 50_000 }, (_, index) => (index + 1).toString(16).padStart(8, '0'));
  const [crl] = readCrls(root.crl({ revoked }), root.cert);
  t.equal(crl?.revoked, 50_000);
});

void t.test('what cannot be read is left out, and what stands beside it is not', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const [head = '', ...rest] = root.crl().split('\n');
  const broken = [head, 'AAAA', ...rest].join('\n');
  t.equal(
    readCertificates(`-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${root.cert}`).length,
    1,
  );
  t.equal(readCrls(broken + root.crl(), root.cert).length, 1);
  t.same(readCertificates('no PEM at all -----BEGIN'), []);
  t.same(readCrls(root.cert, root.cert), []);
  t.same(readCrls('-----BEGIN X509 CRL-----\n'.repeat(10_000), root.cert), [], 'in linear time');
});

void t.test('a reload replaces the dates, and a CA that is gone is gone', async (t) => {
  const [old, next] = [await createAuthority({ cn: 'Old' }), await createAuthority({ cn: 'New' })];
  const metrics = create();
  const trusting = (...cas: TestAuthority[]): void => {
    const clientAuth = { ca: cas.map(({ cert }) => cert).join(''), crl: cas[0]!.crl(), key: cas[0]!.serial };
    metrics.describeSnapshot(testSnapshot([testHost('a.test', { clientAuth })]));
  };
  const subjects = async (): Promise<(string | undefined)[]> =>
    find(await metrics.render(), 'mtls_ca_certificate_not_after_seconds').map(({ labels }) => labels.subject);
  trusting(old, next);
  t.same(new Set(await subjects()), new Set(['CN=New', 'CN=Old']));
  trusting(next);
  t.same(await subjects(), ['CN=New']);
  t.same(
    find(await metrics.render(), 'mtls_crl_age_seconds').map(({ labels }) => labels.issuer),
    ['CN=New'],
  );
  metrics.describeSnapshot(testSnapshot([testHost('a.test', { clientAuth: { mode: 'off' } })]));
  t.same(await subjects(), []);
});

void t.test('of a bundle of many CAs the soonest to expire are shown, of many hosts one each', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const cas: TestAuthority[] = [];
  for (let index = 0; index < maxCaCertificates + 5; index++) {
    cas.push(
      await createAuthority({ cn: `CA ${index}`, parent: root, notAfter: at(`${2080 - index}-01-01`) }),
    );
  }
  const clientAuth = { ca: cas.map(({ cert }) => cert).join(''), key: 'shared' };
  const shown = async (hosts: number): Promise<(string | undefined)[]> => {
    const metrics = create();
    const all = Array.from({ length: hosts }, (_, index) => testHost(`h${index}.test`, { clientAuth }));
    metrics.describeSnapshot(testSnapshot(all));
    const found = find(await metrics.render(), 'mtls_ca_certificate_not_after_seconds', { host: 'h0.test' });
    return found.map(({ labels }) => labels.subject);
  };
  const detailed = await shown(1);
  t.equal(detailed.length, maxCaCertificates);
  t.equal(detailed[0], `CN=CA ${cas.length - 1}`);
  t.same(await shown(maxHostsInDetail + 1), [`CN=CA ${cas.length - 1}`]);
});
