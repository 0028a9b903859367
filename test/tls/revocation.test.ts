import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import t from 'tap';
import { crlIssuerOf } from '../../src/tls/crl-issuer.ts';
import { RevocationList, UnusableCrl } from '../../src/tls/revocation-list.ts';
import { indexLists, judgeRevocation, type Revocation } from '../../src/tls/revocation.ts';
import { createAuthority, type Issued, type TestAuthority, writeFiles } from '../support/pki.ts';
import { needs } from '../support/program.ts';

const day = 86_400_000;
const now = Date.now();

const derOf = (pem: string): Buffer => Buffer.from(pem.replaceAll(/-----[^-]*-----/g, ''), 'base64');
const read = (pem: string): RevocationList => new RevocationList(derOf(pem));
const certificateOf = ({ cert }: { readonly cert: string }): X509Certificate => new X509Certificate(cert);

/** A chain as the handshake proves it: each certificate with the CA that signed it. */
const chainOf = (...certificates: readonly [Issued | TestAuthority, TestAuthority][]) =>
  certificates.map(([one, issuer]) => ({
    serial: certificateOf(one).serialNumber,
    isCa: certificateOf(one).ca,
    issuer: crlIssuerOf(certificateOf(issuer)),
  }));

const revocation = (crls: readonly string[], how: Partial<Revocation> = {}): Revocation => ({
  check: 'chain',
  stale: 'deny',
  graceMs: 0,
  missing: 'deny',
  lists: indexLists(crls.map(read)),
  ...how,
});

const root = await createAuthority({ cn: 'Root' });
const intermediate = await createAuthority({ cn: 'Int', parent: root });
const leaf = await intermediate.issue({ cn: 'leaf' });
const chain = chainOf([leaf, intermediate], [intermediate, root]);

const past = { revoked: [], thisUpdate: now - 9 * day, nextUpdate: now - day };

void t.test(
  'what a chain is refused for, with openssl verify as the judge',
  needs('openssl', 'version'),
  (t) => {
    const cases: Record<string, { crls: string[]; check?: 'leaf' | 'chain'; is: string }> = {
      'nothing revoked': { crls: [root.crl(), intermediate.crl()], is: 'good' },
      'the leaf revoked': { crls: [root.crl(), intermediate.crl({ revoked: [leaf] })], is: 'revoked' },
      'the leaf on hold': {
        crls: [root.crl(), intermediate.crl({ revoked: [[leaf, 'certificateHold']] })],
        is: 'revoked',
      },
      'another one revoked': { crls: [root.crl(), intermediate.crl({ revoked: ['0102'] })], is: 'good' },
      'the intermediate revoked': {
        crls: [root.crl({ revoked: [intermediate.serial] }), intermediate.crl()],
        is: 'revoked',
      },
      'the intermediate revoked, leaf only': {
        crls: [root.crl({ revoked: [intermediate.serial] }), intermediate.crl()],
        check: 'leaf',
        is: 'good',
      },
      'no CRL of the root': { crls: [intermediate.crl()], is: 'crl_missing' },
      'no CRL of the root, leaf only': { crls: [intermediate.crl()], check: 'leaf', is: 'good' },
      'no CRL of the intermediate': { crls: [root.crl()], is: 'crl_missing' },
      'none of the intermediate, leaf only': { crls: [root.crl()], check: 'leaf', is: 'crl_missing' },
      'a CRL past its nextUpdate': { crls: [root.crl(), intermediate.crl(past)], is: 'crl_expired' },
      'the root’s past its nextUpdate': { crls: [root.crl(past), intermediate.crl()], is: 'crl_expired' },
      'the root’s past its nextUpdate, leaf only': {
        crls: [root.crl(past), intermediate.crl()],
        check: 'leaf',
        is: 'good',
      },
      'a CRL of the future': {
        crls: [root.crl(), intermediate.crl({ revoked: [], thisUpdate: now + day })],
        is: 'crl_missing',
      },
      'an old CRL and a new one that revokes': {
        crls: [
          root.crl(),
          intermediate.crl({ revoked: [], thisUpdate: now - 2 * day }),
          intermediate.crl({ revoked: [leaf], thisUpdate: now - day }),
        ],
        is: 'revoked',
      },
    };
    const reasons: readonly [RegExp, string][] = [
      [/error 23/, 'revoked'],
      [/error 12/, 'crl_expired'],
      [/error (?:3|11) /, 'crl_missing'],
    ];
    for (const [name, { crls, check = 'chain', is }] of Object.entries(cases)) {
      const answer = judgeRevocation(revocation(crls, { check }), chain, now);
      t.equal(answer.revoked ? answer.reason : 'good', is, name);
      const files = writeFiles(t.testdir(), {
        root: root.cert,
        int: intermediate.cert,
        leaf: leaf.cert,
        crl: crls.join(''),
      });
      const flags = ['-CAfile', files.root, '-untrusted', files.int, '-CRLfile', files.crl];
      const how = check === 'leaf' ? ['-crl_check'] : ['-crl_check', '-crl_check_all'];
      const judged = spawnSync('openssl', ['verify', ...flags, ...how, files.leaf], { encoding: 'utf8' });
      const text = judged.stdout + judged.stderr;
      const openssl = judged.status === 0 ? 'good' : reasons.find(([pattern]) => pattern.test(text))?.[1];
      t.equal(openssl, is, `${name}: openssl says ${text}`);
    }
    t.end();
  },
);

void t.test('a CRL past its nextUpdate is gone by as configured', (t) => {
  const crls = [root.crl({ revoked: [], thisUpdate: now - 9 * day }), intermediate.crl(past)];
  const judge = (how: Partial<Revocation>, at = now) => judgeRevocation(revocation(crls, how), chain, at);
  t.match(judge({ stale: 'allow', graceMs: 2 * day }), { revoked: false, stale: /CRL has expired/ });
  t.match(judge({ stale: 'allow', graceMs: day - 60_000 }), { revoked: true, reason: 'crl_expired' });
  t.match(judge({ stale: 'report' }, now + 5 * day), { revoked: false, stale: /CRL has expired/ });
  t.match(judge({ stale: 'deny' }), { revoked: true, reason: 'crl_expired' });
  t.match(
    judge({ stale: 'deny' }, now - 2 * day),
    { revoked: false, stale: null },
    'until then it is current',
  );
  const listed = [root.crl(), intermediate.crl({ ...past, revoked: [leaf] })];
  for (const stale of ['allow', 'report', 'deny'] as const) {
    t.match(
      judgeRevocation(revocation(listed, { stale, graceMs: 9 * day }), chain, now),
      { revoked: true, reason: 'revoked' },
      `${stale}: whoever it lists is revoked all the same`,
    );
  }
  t.end();
});

void t.test('a CA without CRL is gone by as configured; an unproven chain never is', (t) => {
  const missing = revocation([intermediate.crl()], { missing: 'allow' });
  t.match(judgeRevocation(missing, chain, now), { revoked: false });
  t.match(judgeRevocation(missing, [], now), { revoked: true, reason: 'crl_missing' });
  const announced = revocation([intermediate.crl({ revoked: [leaf], thisUpdate: now + day })], {
    missing: 'allow',
  });
  t.match(judgeRevocation(announced, chain, now), { revoked: true, reason: 'revoked' });
  t.end();
});

void t.test('a CRL of another CA of the same name counts for nothing', async (t) => {
  const impostor = await createAuthority({ cn: 'Int' });
  const forged = impostor.crl({ revoked: [leaf] });
  t.match(judgeRevocation(revocation([root.crl(), forged]), chain, now), { reason: 'crl_missing' });
  t.match(judgeRevocation(revocation([root.crl(), forged, intermediate.crl()]), chain, now), {
    revoked: false,
  });
  const own = crlIssuerOf(certificateOf(impostor));
  const list = read(forged);
  t.ok(list.isOf(own));
  t.notOk(list.isOf({ ...own, publicKey: crlIssuerOf(certificateOf(root)).publicKey, key: 'other' }));
  t.notOk(list.isOf({ ...own, signsCrls: false }), 'a CA that may not sign CRLs signed it');
});

void t.test('one bit changed anywhere in the signed part is noticed', (t) => {
  const der = derOf(intermediate.crl({ revoked: [leaf, '01', '02'] }));
  const issuer = crlIssuerOf(certificateOf(intermediate));
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const changed = Buffer.from(der);
      changed[at]! ^= 1 << bit;
      try {
        return !new RevocationList(changed).isOf(issuer);
      } catch (error) {
        return error instanceof UnusableCrl;
      }
    }),
    { numRuns: 500 },
  );
  t.ok(new RevocationList(der).isOf(issuer));
  t.end();
});

void t.test('bytes of no kind do anything but be refused', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      t.throws(() => new RevocationList(Buffer.from(bytes)), UnusableCrl);
    }),
    { numRuns: 200 },
  );
  t.end();
});

void t.test('every serial that is in a CRL is found, and no other', async (t) => {
  const serial = fc.bigInt({ min: 1n, max: (1n << 159n) - 1n }).map((value) => {
    const digits = value.toString(16);
    return (digits.length % 2 === 0 ? digits : `0${digits}`).toUpperCase();
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(serial, { maxLength: 50 }),
      fc.uniqueArray(serial, { maxLength: 50 }),
      (inside, other) => {
        const list = read(root.crl({ revoked: inside }));
        const set = new Set(inside);
        return (
          list.entries === inside.length &&
          [...inside, ...other].every((one) => list.has(one) === set.has(one))
        );
      },
    ),
    { numRuns: 50 },
  );
  t.end();
});

void t.test('every kind of key signs', async (t) => {
  for (const keyType of ['ec', 'ec384', 'rsa', 'ed25519'] as const) {
    const ca = await createAuthority({ cn: keyType, keyType });
    t.ok(read(ca.crl()).isOf(crlIssuerOf(certificateOf(ca))), keyType);
  }
});

/** A CA of openssl’s own, and what `openssl ca -gencrl` writes with extensions out of its configuration. */
function opensslCrl(dir: string, extensions: string, lines: readonly string[] = []): Buffer {
  mkdirSync(dir, { recursive: true });
  const files = writeFiles(dir, { 'ca.pem': root.cert, 'ca.key': root.key, number: '07\n' });
  writeFileSync(join(dir, 'index'), lines.map((line) => `${line}\n`).join(''));
  writeFileSync(
    join(dir, 'ca.conf'),
    `[ca]\ndefault_ca=x\n[x]\ndatabase=${dir}/index\ncrlnumber=${dir}/number\ndefault_md=sha256\n` +
      `default_crl_days=7\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n${extensions}\n`,
  );
  const out = join(dir, 'crl.pem');
  const ca = ['-cert', files['ca.pem'], '-keyfile', files['ca.key'], '-config', join(dir, 'ca.conf')];
  execFileSync('openssl', ['ca', '-gencrl', ...ca, '-out', out], { stdio: ['ignore', 'pipe', 'pipe'] });
  return derOf(readFileSync(out, 'utf8'));
}

void t.test(
  'CRLs of openssl ca: those that cannot be honoured are refused',
  needs('openssl', 'version'),
  (t) => {
    const dir = t.testdir({});
    const lines = ['R\t300101000000Z\t250101000000Z,keyCompromise\t0A0B\tunknown\t/CN=x'];
    const plain = new RevocationList(opensslCrl(join(dir, 'plain'), '', lines));
    t.ok(plain.isOf(crlIssuerOf(certificateOf(root))));
    t.match(plain, { entries: 1, number: 7n, scope: 'all' });
    t.ok(plain.has('0A0B'));
    t.ok(plain.has('A0B'));
    t.notOk(plain.has('0B'));
    const idp = (value: string): string => `issuingDistributionPoint=critical,@i\n[i]\n${value}`;
    const scopes: Record<string, string> = { 'onlyuser=TRUE': 'user', 'onlyCA=TRUE': 'ca' };
    for (const [value, scope] of Object.entries(scopes)) {
      const list = new RevocationList(opensslCrl(join(dir, scope), idp(value), lines));
      t.equal(list.scope, scope);
      t.same([list.covers(true), list.covers(false)], scope === 'ca' ? [true, false] : [false, true]);
    }
    const refusals: Record<string, [string, RegExp]> = {
      delta: ['2.5.29.27=critical,ASN1:INTEGER:1', /delta/],
      'delta, not critical': ['2.5.29.27=ASN1:INTEGER:1', /delta/],
      indirect: [idp('indirectCRL=TRUE'), /indirect/],
      'one distribution point': [idp('fullname=URI:http://crl.test/1'), /one distribution point/],
      'some reasons': [idp('onlysomereasons=keyCompromise'), /some reasons/],
      'attribute certificates': [idp('onlyAA=TRUE'), /attribute/],
      'unknown critical': ['1.2.3.4=critical,ASN1:NULL', /1\.2\.3\.4/],
    };
    for (const [name, [extension, message]] of Object.entries(refusals)) {
      const der = opensslCrl(join(dir, name.replaceAll(/\W/g, '')), extension, lines);
      t.throws(() => new RevocationList(der), message, name);
    }
    t.end();
  },
);

void t.test('fifty thousand entries are read in 0.35 s', (t) => {
  const revoked = Array.from({ length: 50_000 }, (_, index) => `01${index.toString(16).padStart(30, '0')}`);
  const der = derOf(root.crl({ revoked }));
  const began = performance.now();
  const list = new RevocationList(der);
  t.ok(list.isOf(crlIssuerOf(certificateOf(root))));
  const took = performance.now() - began;
  t.comment(`${Math.round(took)} ms`);
  t.ok(took < 350);
  t.ok(list.has(revoked[49_999]!));
  t.notOk(list.has(`02${'0'.repeat(30)}`));
  t.end();
});
