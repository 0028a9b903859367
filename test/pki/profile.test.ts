import t from 'tap';
import { PkiError } from '../../src/pki/error.ts';
import { parseJson } from '../../src/pki/json-file.ts';
import { noProfileFile, type Profile, readProfiles } from '../../src/pki/profile.ts';
import { describeCertificate } from '../../src/pki/describe.ts';
import { issuerOf } from '../../src/pki/issuer.ts';
import { makeKey } from '../../src/pki/key.ts';
import { type BoundedIssuer, signByProfile } from '../../src/pki/signing.ts';
import { day } from '../../src/pki/time.ts';
import { createAuthority, keyFromPem, nameOf } from '../support/pki.ts';

const hour = 3_600_000;
const read = (json: unknown) => readProfiles(parseJson(JSON.stringify(json), 'p.json'));
const profileOf = (profile: object): Profile =>
  read({ signing: { profiles: { it: { usages: ['client auth'], ...profile } } } }).get('it');

void t.test('the configuration cfssl prints is taken as it is', async (t) => {
  const profiles = read({
    signing: {
      default: { expiry: '168h' },
      profiles: {
        www: { expiry: '8760h', usages: ['signing', 'key encipherment', 'server auth'] },
        client: { expiry: '8760h', usages: ['signing', 'key encipherment', 'client auth'] },
      },
    },
  });
  t.match(profiles.get('www'), {
    keyUsages: ['digital signature', 'key encipherment'],
    purposes: ['1.3.6.1.5.5.7.3.1'],
    expiry: 8760 * hour,
    backdate: 5 * 60_000,
  });
  t.equal(profiles.get(undefined).expiry, 168 * hour);
  t.throws(() => profiles.get('nope'), /there are default, www, client/);
  t.same(profiles.warnings, []);
});

void t.test('every field that decides something is read', async (t) => {
  t.match(profileOf({ backdate: '1h', expiry: '90m' }), { backdate: hour, expiry: 90 * 60_000 });
  t.match(profileOf({ not_before: '2027-01-01T00:00:00Z', not_after: '2027-02-01T00:00:00Z' }), {
    notBefore: Date.UTC(2027, 0, 1),
    notAfter: Date.UTC(2027, 1, 1),
  });
  t.same(profileOf({ ca_constraint: { is_ca: true } }).ca, {});
  t.same(profileOf({ ca_constraint: { is_ca: true, max_path_len: 2 } }).ca, { pathLen: 2 });
  t.same(profileOf({ ca_constraint: { is_ca: true, max_path_len: 0 } }).ca, {});
  t.same(profileOf({ ca_constraint: { is_ca: true, max_path_len: 0, max_path_len_zero: true } }).ca, {
    pathLen: 0,
  });
  t.same(profileOf({ ca_constraint: { is_ca: false } }).ca, undefined);
  t.match(profileOf({ crl_url: 'http://a', ocsp_url: 'http://b', issuer_urls: ['http://c'] }), {
    crlUrl: 'http://a',
    ocspUrl: 'http://b',
    issuerUrls: ['http://c'],
  });
});

void t.test('a profile that cannot be followed is an error with its place', async (t) => {
  const cases: readonly (readonly [profile: object, complaint: RegExp])[] = [
    [{ usages: ['no such'] }, /p\.json:1:\d+ \/signing\/profiles\/it\/usages needs a usage/],
    [{ usages: 'signing' }, /must be a list/],
    [{ expiry: '1 year' }, /\/expiry "1 year" is not a duration/],
    [{ not_before: 'soon' }, /must be a date/],
    [{ name_whitelist: '(' }, /no regular expression/],
    [{ remote: 'there' }, /is not supported/],
    [{ copy_extensions: true }, /is not supported/],
  ];
  for (const [profile, complaint] of cases) t.throws(() => profileOf(profile), complaint);
  t.throws(() => read({}), /needs a "signing" object/);
  t.throws(() => read({ signing: { profiles: { it: { expiry: '1h' } } } }), /needs "usages"/);
});

void t.test('what is not used is a warning', async (t) => {
  const { warnings } = read({
    signing: { profiles: { it: { usages: ['signing', 'magic'], auth_key: 'x' } } },
  });
  t.match(warnings, [/usage "magic" is not known/, /auth_key of a profile is not used/]);
});

async function setUp(options: { notAfter?: number; pathLen?: number } = {}): Promise<BoundedIssuer> {
  const authority = await createAuthority({ cn: 'CA', ...options });
  return issuerOf(authority.der, keyFromPem(authority.key));
}

async function signWith(profile: Profile, issuer: BoundedIssuer, now = Date.now(), cn = 'x') {
  const { publicKey } = await makeKey({ algo: 'ecdsa', size: 256 });
  const applicant = { subject: nameOf([['CN', cn]]), commonNames: [cn], altNames: [], publicKey };
  const signed = signByProfile(applicant, profile, issuer, now);
  return { ...signed, report: describeCertificate(signed.der, now) };
}

void t.test(
  'validity is whole seconds, as long as the profile says, and never past the issuer',
  async (t) => {
    const now = Date.now();
    const end = Math.floor(now / 1000) * 1000 + 10 * day;
    const issuer = await setUp({ notAfter: end });
    const client = noProfileFile.get('client');
    const short = await signWith({ ...client, expiry: 5 * day + 7 }, issuer);
    t.equal(short.notAfter - short.notBefore, 5 * day);
    t.equal(short.notBefore % 1000, 0);
    t.ok(short.notBefore <= now - 4 * 60_000, 'it counts at once for clocks that are a little behind');
    t.same(short.warnings, []);
    const long = await signWith(client, issuer);
    t.equal(long.notAfter, end);
    t.match(long.warnings, [/valid until .* only: CN=CA itself ends then/]);
    await t.rejects(signWith(client, issuer, end + 1000), /CN=CA expired on .* can issue nothing more/);
  },
);

void t.test('a path length is kept', async (t) => {
  const ca = noProfileFile.get('intermediate');
  const none = await setUp({ pathLen: 0 });
  await t.rejects(signWith(ca, none), /path length 0: no CA may stand below it/);
  const one = await setUp({ pathLen: 1 });
  t.equal((await signWith({ ...ca, ca: {} }, one)).report.pathLen, 0, 'without a wish it gets what is left');
  await t.rejects(
    signWith({ ...ca, ca: { pathLen: 1 } }, one),
    /path length 1 is more than CN=CA allows below it \(0\)/,
  );
  await t.rejects(signWith({ ...noProfileFile.get('client'), ca: {} }, one), /needs the usage "cert sign"/);
});

void t.test('a name allow list is kept, in linear time', async (t) => {
  const issuer = await setUp();
  const profile = profileOf({ name_whitelist: '^[a-z]+$' });
  t.ok(await signWith(profile, issuer, Date.now(), 'abc'));
  await t.rejects(signWith(profile, issuer, Date.now(), 'a1'), PkiError);
  const evil = profileOf({ name_whitelist: '^(a+)+$' });
  const started = process.cpuUsage();
  await t.rejects(signWith(evil, issuer, Date.now(), `${'a'.repeat(2000)}!`), PkiError);
  t.ok(process.cpuUsage(started).user < 2_000_000);
});

void t.test('usages follow the profile; ours leave out what the key cannot do', async (t) => {
  const issuer = await setUp();
  const own = await signWith(noProfileFile.get('client'), issuer);
  t.same(own.report.keyUsages, ['digital signature']);
  t.same(own.report.purposes, ['client auth']);
  const theirs = await signWith(
    profileOf({ usages: ['signing', 'key encipherment', 'server auth'] }),
    issuer,
  );
  t.same(theirs.report.keyUsages, ['digital signature', 'key encipherment']);
  t.match(theirs.warnings, [/RFC 8813/]);
});

void t.test('a key the proxy would refuse is not signed for', async (t) => {
  const issuer = await setUp();
  const { generateKeyPairSync } = await import('node:crypto');
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const odd = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;
  for (const publicKey of [weak, odd]) {
    const applicant = { subject: nameOf([['CN', 'x']]), commonNames: [], altNames: [], publicKey };
    t.throws(
      () => signByProfile(applicant, noProfileFile.get('client'), issuer, Date.now()),
      /is not signed for/,
    );
  }
});
