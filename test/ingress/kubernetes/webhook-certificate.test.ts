import { X509Certificate } from 'node:crypto';
import t, { type Test } from 'tap';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import {
  authorityOf,
  dataOf,
  isDue,
  issueServing,
  makeAuthority,
  type ServingCertificate,
  standardLifetimes,
} from '../../../src/ingress/kubernetes/webhook/authority.ts';
import {
  CertificateKeeper,
  type KeeperOptions,
} from '../../../src/ingress/kubernetes/webhook/certificate-keeper.ts';
import { readWebhookFlags } from '../../../src/ingress/kubernetes/webhook/flags.ts';
import { until } from '../../support/controller.ts';
import { FakeStore } from './reviewing.ts';

const day = 86_400_000;
const secretPath = '/api/v1/namespaces/ingress/secrets/mtls-ingress-webhook';
const registrationPath = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/mtls-ingress';
const names = ['webhook.ingress.svc', '127.0.0.1'];

void t.test('a CA goes into a Secret and comes out of it, and what is none is none', async (t) => {
  const now = Date.now();
  const authority = await makeAuthority(null, standardLifetimes, now);
  const data = dataOf(authority);
  t.same(authorityOf(data)?.bundle, authority.bundle);
  const other = dataOf(await makeAuthority(null, standardLifetimes, now));
  const serving = await issueServing(authority, names, standardLifetimes, now);
  for (const bad of [
    null,
    7,
    {},
    { ...data, token: '' },
    { ...data, token: Buffer.from('../../x').toString('base64') },
    { ...data, 'ca.key': other['ca.key'] },
    { ...data, 'ca.crt': Buffer.from('rubbish').toString('base64') },
    {
      ...data,
      'ca.crt': Buffer.from(serving.cert).toString('base64'),
      'ca.key': Buffer.from(serving.key).toString('base64'),
    },
    { ...data, 'ca.crt': Buffer.from(authority.bundle[0]!.repeat(10)).toString('base64') },
    { ...data, 'ca.crt': ['x'] },
  ])
    t.equal(authorityOf(bad), null);
  const [ca, leaf] = [new X509Certificate(authority.bundle[0]!), new X509Certificate(serving.cert)];
  t.ok(ca.ca && leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
  t.equal(leaf.subjectAltName, 'DNS:webhook.ingress.svc, IP Address:127.0.0.1');
  t.notOk(leaf.ca);
});

void t.test('each is made anew when a third of its time is left', async (t) => {
  const now = Date.now();
  const authority = await makeAuthority(null, standardLifetimes, now);
  t.notOk(isDue(authority.issuer, now + 243 * day));
  t.ok(isDue(authority.issuer, now + 244 * day));
  const serving = await issueServing(authority, names, standardLifetimes, now);
  t.notOk(isDue(serving, now + 19 * day));
  t.ok(isDue(serving, now + 21 * day));
  const late = await issueServing(authority, names, standardLifetimes, now + 360 * day);
  t.ok(late.notAfter <= authority.issuer.notAfter, 'it ends with its CA');
  await t.rejects(issueServing(authority, names, standardLifetimes, now + 366 * day), /has ended/);
  let next = authority;
  for (const days of [244, 488, 732]) next = await makeAuthority(next, standardLifetimes, now + days * day);
  t.equal(next.bundle.length, 2, 'those that have ended are not trusted');
  t.equal(next.token, authority.token, 'the path stays');
});

interface Kept {
  readonly keeper: CertificateKeeper;
  readonly shown: readonly ServingCertificate[];
  readonly log: readonly string[];
  /** The CA that signed the last certificate is among these. */
  readonly isOf: (bundle: readonly string[]) => boolean;
}

function keep(t: Test, store: FakeStore, options: Partial<KeeperOptions> = {}): Kept {
  const shown: ServingCertificate[] = [];
  const log: string[] = [];
  const keeper = new CertificateKeeper({
    client: store.api,
    secret: { namespace: 'ingress', name: 'mtls-ingress-webhook' },
    registration: 'mtls-ingress',
    names,
    isDryRun: false,
    log: (...line) => void log.push(JSON.stringify(line)),
    onCertificate: (certificate) => void shown.push(certificate),
    times: { everyMs: 20, settleMs: 40 },
    ...options,
  });
  t.teardown(() => keeper.close());
  const isOf = (bundle: readonly string[]): boolean => {
    const leaf = new X509Certificate(shown.at(-1)!.cert);
    return bundle.some((pem) => leaf.verify(new X509Certificate(pem).publicKey));
  };
  return { keeper, shown, log, isOf };
}

function bundleOf(store: FakeStore): readonly string[] {
  const { webhooks } = store.objects.get(registrationPath) as {
    webhooks: readonly { clientConfig: { caBundle?: string } }[];
  };
  const text = Buffer.from(webhooks[0]?.clientConfig.caBundle ?? '', 'base64').toString();
  return text.match(/-----BEGIN[^]+?-----END CERTIFICATE-----\n/g) ?? [];
}

function storeWith(clientConfig: object = { url: 'https://127.0.0.1:1/old' }): FakeStore {
  const store = new FakeStore();
  const webhooks = [
    { name: 'a.mtls-ingress.io', clientConfig, timeoutSeconds: 5 },
    { name: 'b.mtls-ingress.io', clientConfig: { service: { name: 'w', namespace: 'n' } } },
  ];
  store.put(registrationPath, { metadata: { name: 'mtls-ingress' }, webhooks });
  return store;
}

void t.test('replicas that begin together share one CA', async (t) => {
  const store = storeWith();
  const all = [keep(t, store), keep(t, store), keep(t, store)];
  await until('all have one', () => all.every(({ shown }) => shown.length > 0));
  const { bundle, token } = authorityOf(store.objects.get(secretPath)?.['data'])!;
  await until('they are registered', () => bundleOf(store).length === 1);
  t.same(bundleOf(store), bundle);
  for (const { isOf } of all) t.ok(isOf(bundle));
  t.equal(
    store.written.filter((path) => path === secretPath).length,
    1,
    'the first made it, the others read it',
  );
  const path = `/networking/v1/ingresses/${token}`;
  t.match(store.objects.get(registrationPath), {
    webhooks: [
      { clientConfig: { url: `https://127.0.0.1:1${path}` }, timeoutSeconds: 5 },
      { clientConfig: { service: { name: 'w', namespace: 'n', path } } },
    ],
  });
});

void t.test(
  'a CA near its end is followed by another, and the API server trusts both before the new one is shown',
  async (t) => {
    const store = storeWith();
    let now = Date.now();
    const bundles: (readonly string[])[] = [];
    const check = (certificate: ServingCertificate): void => {
      const leaf = new X509Certificate(certificate.cert);
      const trusted = bundleOf(store).some((pem) => leaf.verify(new X509Certificate(pem).publicKey));
      t.ok(trusted || bundles.length < 2, 'whatever is shown is trusted by then');
      bundles.push(bundleOf(store));
    };
    const options = { now: () => now, onCertificate: check };
    keep(t, store, options);
    keep(t, store, options);
    await until('both have one', () => bundles.length === 2);
    const [first] = bundleOf(store);
    now += 245 * day;
    await until('a new CA is there', () => bundleOf(store).length === 2);
    t.equal(bundleOf(store)[1], first);
    // Leaves are due as well after so long: they are of the new CA at once.
    await until('both have another', () => bundles.length >= 4);
    t.equal(store.written.filter((path) => path === secretPath).length, 2);
  },
);

void t.test('a new CA is not shown before every API server has had the time to hear of it', async (t) => {
  const store = storeWith();
  let now = Date.now();
  const { shown, isOf } = keep(t, store, { now: () => now, times: { everyMs: 5, settleMs: 10 } });
  await until('it has one', () => shown.length === 1);
  const before = authorityOf(store.objects.get(secretPath)?.['data'])!;
  // Another replica makes a new one.
  const made = await makeAuthority(before, standardLifetimes, now);
  store.put(secretPath, { ...store.objects.get(secretPath), data: dataOf(made) });
  await until('the API server is told', () => bundleOf(store).length === 2);
  let looks = 0;
  store.fails = (_, path) => {
    if (path === secretPath) looks++;
    return null;
  };
  now += 9;
  await until('it has looked again', () => looks >= 3);
  t.equal(shown.length, 1);
  now += 1;
  await until('it shows the new one', () => shown.length === 2);
  t.ok(isOf([made.bundle[0]!]));
});

void t.test('a certificate near its end is followed by one of the same CA', async (t) => {
  const store = storeWith();
  let now = Date.now();
  const { shown, isOf } = keep(t, store, { now: () => now });
  await until('it has one', () => shown.length === 1);
  now += 21 * day;
  await until('it has another', () => shown.length === 2);
  t.ok(shown[1]!.notAfter > shown[0]!.notAfter);
  t.ok(isOf(authorityOf(store.objects.get(secretPath)?.['data'])!.bundle));
  t.equal(store.written.filter((path) => path === secretPath).length, 1);
});

void t.test('a Secret that is gone or broken is made anew, and what is in use stays trusted', async (t) => {
  const store = storeWith();
  const { shown, isOf } = keep(t, store);
  await until('it has one', () => shown.length === 1);
  const [first] = bundleOf(store);
  store.objects.delete(secretPath);
  await until('another CA is there', () => bundleOf(store).length === 2);
  t.equal(bundleOf(store)[1], first);
  await until('it is of the other', () => isOf([bundleOf(store)[0]!]));
  store.put(secretPath, { metadata: { labels: { a: 'b' } }, type: 'Opaque', data: { 'ca.crt': 'eA==' } });
  await until('it can be used again', () => authorityOf(store.objects.get(secretPath)?.['data']) !== null);
  t.match(store.objects.get(secretPath), { metadata: { labels: { a: 'b' } }, type: 'Opaque' });
});

void t.test('one who writes back what an older Secret said comes too late', async (t) => {
  const store = storeWith();
  const { shown } = keep(t, store, { times: { everyMs: 600_000, settleMs: 1 } });
  await until('it is registered', () => shown.length === 1 && bundleOf(store).length === 1);
  const before = authorityOf(store.objects.get(secretPath)?.['data'])!;
  const made = await makeAuthority(before, standardLifetimes, Date.now());
  // Between the look at the registration and the one at the Secret another replica does both.
  let raced = false;
  const { get } = store.api;
  const api = {
    ...store.api,
    get: async (path: string) => {
      const answer = await get(path);
      if (path === secretPath && !raced) {
        raced = true;
        store.put(secretPath, { ...store.objects.get(secretPath), data: dataOf(made) });
        const there = store.objects.get(registrationPath) as {
          webhooks: readonly { clientConfig: object }[];
        };
        const caBundle = Buffer.from(made.bundle.join('')).toString('base64');
        store.put(registrationPath, {
          ...there,
          webhooks: there.webhooks.map((one) => ({
            ...one,
            clientConfig: { ...one.clientConfig, caBundle },
          })),
        });
      }
      return answer;
    },
  };
  // It has to write something, or it would not try.
  store.put(registrationPath, {
    ...storeWith().objects.get(registrationPath),
  });
  const late = keep(t, store, { client: api, times: { everyMs: 600_000, settleMs: 1 } });
  await until('it has tried', () => late.log.some((line) => /cannot be kept/.test(line)));
  t.same(bundleOf(store), made.bundle);
});

void t.test('without rights it says what it lacks, and goes on as far as it can', async (t) => {
  const denied = (verb: string) => new ApiError(403, 'Forbidden', `may not ${verb}`);
  const store = storeWith();
  store.fails = (verb, path) => (path === registrationPath ? denied(verb) : null);
  const one = keep(t, store);
  await until('it has one all the same', () => one.shown.length === 1);
  t.match(one.log, [/new CA/, /ValidatingWebhookConfiguration mtls-ingress: may not get/]);
  store.fails = () => null;
  await until('it comes back', () => one.log.some((line) => line.includes('kept again')));
  await one.keeper.close();
  store.fails = (verb, path) => (path.startsWith(secretPath) ? denied(verb) : null);
  const two = keep(t, store);
  await until('it is told', () => two.log.some((line) => line.includes('may not get')));
  t.same(two.shown, [], 'no CA of its own that the others do not share');
  store.objects.clear();
  store.fails = (verb) => (verb === 'create' ? denied(verb) : null);
  const three = keep(t, store);
  await until('it is told', () => three.log.some((line) => line.includes('may not create')));
  t.same(three.shown, []);
});

void t.test('no registration is told of once', async (t) => {
  const store = new FakeStore();
  let looks = 0;
  store.fails = () => (looks++, null);
  const { log, shown } = keep(t, store, { times: { everyMs: 5, settleMs: 5 } });
  await until('it has looked again and again', () => looks > 10);
  t.equal(shown.length, 1);
  t.equal(log.filter((line) => line.includes('there is no ValidatingWebhookConfiguration')).length, 1);
});

void t.test('flags of the webhook are read, and told of where they make no sense', async (t) => {
  const read = (flags: Parameters<typeof readWebhookFlags>[0], env = {}) => readWebhookFlags(flags, env);
  t.equal(read({}), null);
  t.same(read({ 'validating-webhook': ':8444' }, { POD_NAMESPACE: 'edge' }), {
    listen: { address: '0.0.0.0', port: 8444 },
    files: null,
    service: { namespace: 'edge', name: 'mtls-ingress-webhook' },
    registration: 'mtls-ingress',
  });
  t.match(read({ 'validating-webhook': '[::1]:0', 'validating-webhook-service': 'a/b' }), {
    listen: { address: '::1', port: 0 },
    service: { namespace: 'a', name: 'b' },
  });
  for (const flags of [
    { 'validating-webhook-key': 'x' },
    { 'validating-webhook': '8444' },
    { 'validating-webhook': 'host:8444' },
    { 'validating-webhook': '127.0.0.1:70000' },
    { 'validating-webhook': '127.0.0.1:' },
    { 'validating-webhook': ':1', 'validating-webhook-key': 'x' },
    { 'validating-webhook': ':1', 'validating-webhook-service': 'x' },
    { 'validating-webhook': ':1', 'validating-webhook-service': 'a/b/c' },
    { 'validating-webhook': ':1', 'validating-webhook-configuration': '../x' },
  ])
    t.match(read(flags), { fault: /--validating-webhook/ }, JSON.stringify(flags));
});
