import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import { DryApi } from '../../../src/ingress/kubernetes/dry-api.ts';
import type { Known } from '../../../src/ingress/kubernetes/webhook/judge.ts';
import { judge } from '../../../src/ingress/kubernetes/webhook/judge.ts';
import { answerTo, readReview, type Verdict } from '../../../src/ingress/kubernetes/webhook/review.ts';
import { maxBody } from '../../../src/ingress/kubernetes/webhook/review-server.ts';
import { Webhook, type WebhookOptions } from '../../../src/ingress/kubernetes/webhook/webhook.ts';
import { formatIngressProblem } from '../../../src/ingress/problem.ts';
import { translate } from '../../../src/ingress/translate.ts';
import { until } from '../../support/controller.ts';
import { endpoints, ingress, ingressClass, type Manifest, secret, service } from '../../support/objects.ts';
import { createAuthority } from '../../support/pki.ts';
import { ask, FakeStore, knownOf, type Reply, reviewOf, stored } from './reviewing.ts';

const now = Date.UTC(2026, 5, 1);
const cluster: readonly Manifest[] = [ingressClass(), service(), endpoints('web', 80, ['192.0.2.1'])];
const good = ingress({ host: 'good.test' });
const broken = ingress({ host: 'broken.test', annotations: { 'proxy-body-size': 'much' } });

async function judged(review: object, known: Known, read = async () => null as never): Promise<Verdict> {
  const asked = readReview(structuredClone(review));
  if (asked === null) throw new Error('no review');
  return judge(asked, known, read, now);
}

void t.test('what would not be served is refused, in the words of the log', async (t) => {
  const verdict = await judged(reviewOf(broken), knownOf(cluster));
  const { problems } = translate(knownOf([...cluster, broken]).objects, knownOf([]).options);
  t.same(verdict, {
    allowed: false,
    code: 400,
    reasons: problems.map(formatIngressProblem),
    warnings: [],
  });
  t.match(problems.map(formatIngressProblem), [
    /^kubernetes Ingress default\/broken-test \/metadata\/annotations\//,
  ]);
  t.match(await judged(reviewOf(good), knownOf(cluster)), { allowed: true, warnings: [] });
});

void t.test('a warning of the translation is one of the review', async (t) => {
  const lonely = ingress({ host: 'lonely.test', service: 'nobody' });
  t.match(await judged(reviewOf(lonely), knownOf(cluster)), {
    allowed: true,
    warnings: [/^kubernetes Ingress default\/lonely-test .*warning: /],
  });
});

void t.test('a Secret that is not there yet is a warning, and one that is there is read', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const host = 'tls.test';
  const { bundle, key } = await root.issue({ cn: host, hosts: [host], usage: 'server' });
  const files = { 'tls.crt': bundle, 'tls.key': key };
  const wants = ingress({ host, tls: 'tls', annotations: { 'auth-tls-secret': 'default/ca' } });
  t.match(await judged(reviewOf(wants), knownOf(cluster)), {
    allowed: true,
    warnings: [/there is no Secret default\/ca/, /default\/tls is not there/],
  });
  const held = knownOf([secret('tls', files), secret('ca', { 'ca.crt': root.cert })]).objects;
  const asked: string[] = [];
  const verdict = await judge(
    readReview(reviewOf(wants))!,
    knownOf(cluster, { hasAsked: (_, name) => name.startsWith('ingress-nginx/') }),
    async (kind, name) => {
      asked.push(`${kind} ${name}`);
      return held.find((one) => one.kind === kind && `${one.namespace}/${one.name}` === name) ?? null;
    },
    now,
  );
  t.same(verdict, { allowed: true, warnings: [] });
  t.same(asked.sort(), ['Secret default/ca', 'Secret default/tls']);
});

void t.test('a review asks for no more than so many names', async (t) => {
  const secrets = Array.from({ length: 500 }, (_, index) => ({
    hosts: [`h${index}.test`],
    secretName: `s${index}`,
  }));
  const rules = secrets.map(({ hosts }) => ({
    host: hosts[0],
    http: {
      paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
    },
  }));
  const many = { ...good, spec: { ingressClassName: 'nginx', tls: secrets, rules } };
  let asked = 0;
  const known = knownOf(cluster, { hasAsked: () => false });
  const verdict = await judge(
    readReview(reviewOf(many))!,
    known,
    async () => {
      asked++;
      return null;
    },
    now,
  );
  t.ok(verdict.allowed);
  t.equal(asked, 64);
});

void t.test(
  "Ingresses of others, of other namespaces, and what goes, are none of the webhook's business",
  async (t) => {
    const bad = { 'proxy-body-size': 'much' };
    const other = ingress({ host: 'x.test', className: 'other', annotations: bad });
    const known = knownOf([...cluster, ingressClass('other', 'example.com/other')]);
    t.same(await judged(reviewOf(other), known), { allowed: true, warnings: [] });
    t.same(await judged(reviewOf(ingress({ host: 'x.test', className: null, annotations: bad })), known), {
      allowed: true,
      warnings: [],
    });
    t.ok((await judged(reviewOf(broken), { ...known, looksAt: (name) => name === 'shop' })).allowed);
    t.notOk((await judged(reviewOf(broken), { ...known, looksAt: (name) => name === 'default' })).allowed);
    t.ok((await judged(reviewOf(null, { operation: 'DELETE', oldObject: broken }), known)).allowed);
    const going = { ...broken, metadata: { ...broken.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    t.ok((await judged(reviewOf(going, { operation: 'UPDATE' }), known)).allowed);
  },
);

void t.test(
  'a path that belongs to another Ingress is refused, whichever of the two is written',
  async (t) => {
    const first = stored(ingress({ name: 'first', host: 'same.test' }), 1);
    const second = ingress({ name: 'second', host: 'same.test' });
    t.match(await judged(reviewOf(second), knownOf([...cluster, first])), {
      allowed: false,
      reasons: [/Ingress default\/second .* belongs to default\/first/],
    });
    const unborn = { ...second, metadata: { ...second.metadata, creationTimestamp: null } };
    t.notOk(
      (await judged(reviewOf(unborn), knownOf([...cluster, first]))).allowed,
      'without a time it is the last',
    );
    const elsewhere = stored(ingress({ name: 'first', host: 'elsewhere.test' }), 1);
    const there = knownOf([...cluster, elsewhere, stored(second, 2)]);
    const verdict = await judged(reviewOf(first, { operation: 'UPDATE', oldObject: elsewhere }), there);
    t.match(verdict, { allowed: false, reasons: [/Ingress default\/second .* belongs to default\/first/] });
    const quarrel = knownOf([...cluster, first, stored(second, 2), broken]);
    t.ok((await judged(reviewOf(good), quarrel)).allowed, 'what others have between them costs nobody else');
    t.ok(
      (
        await judged(
          reviewOf(stored(good, 3), { operation: 'UPDATE' }),
          knownOf([...cluster, stored(good, 3)]),
        )
      ).allowed,
      'it does not stand in its own way',
    );
  },
);

void t.test('labels of what was taken before may change, its annotations may not', async (t) => {
  const known = knownOf([...cluster, broken]);
  const labelled = { ...broken, metadata: { ...broken.metadata, labels: { a: 'b' } } };
  t.match(await judged(reviewOf(labelled, { operation: 'UPDATE', oldObject: broken }), known), {
    allowed: true,
    warnings: [/proxy-body-size/],
  });
  const worse = ingress({ host: 'broken.test', annotations: { 'proxy-body-size': 'more' } });
  t.notOk((await judged(reviewOf(worse, { operation: 'UPDATE', oldObject: broken }), known)).allowed);
});

void t.test('what is no Ingress is refused, and never thrown at', async (t) => {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', namespace: 'default' } };
  for (const object of [
    pod,
    service(),
    { kind: 'Ingress' },
    { ...good, metadata: 'x' },
    { ...good, metadata: { name: '../x', namespace: 'default' } },
    { ...good, apiVersion: 'networking.k8s.io/v9' },
    {},
  ]) {
    const verdict = await judged(reviewOf(object), knownOf(cluster));
    t.match(verdict, { allowed: false, reasons: [/^kubernetes /] }, JSON.stringify(object));
  }
  for (const spec of [
    null,
    7,
    [],
    { rules: 7 },
    { rules: [null] },
    { tls: [[[]]], rules: [{ http: { paths: 'x' } }] },
  ]) {
    await judged(reviewOf({ ...good, spec }), knownOf(cluster));
  }
});

void t.test('what is no review is none', async (t) => {
  const review = reviewOf(good);
  t.not(readReview(review), null);
  for (const bad of [
    null,
    7,
    'x',
    [],
    {},
    { ...review, kind: 'Review' },
    { ...review, apiVersion: 'admission.k8s.io/v2' },
    { ...review, request: null },
    { ...review, request: [] },
    { ...review, request: { ...review.request, uid: '' } },
    { ...review, request: { ...review.request, uid: 7 } },
    { ...review, request: { ...review.request, uid: 'x'.repeat(129) } },
    { ...review, request: { ...review.request, object: 'x' } },
    { ...review, request: { ...review.request, oldObject: [] } },
    { ...review, request: { ...review.request, operation: {} } },
  ])
    t.equal(readReview(bad), null, JSON.stringify(bad)?.slice(0, 80));
});

void t.test('the answer is of the version that was asked in', async (t) => {
  const warned: Verdict = { allowed: true, warnings: ['w'] };
  const refused: Verdict = { allowed: false, reasons: ['a', 'b'], warnings: ['w'], code: 400 };
  const [v1, beta] = ['v1', 'v1beta1'].map((version) => readReview(reviewOf(good, { version }))!);
  t.strictSame(answerTo(v1!, warned), {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: 'b4f1', allowed: true, warnings: ['w'] },
  });
  t.strictSame(answerTo(beta!, refused), {
    apiVersion: 'admission.k8s.io/v1beta1',
    kind: 'AdmissionReview',
    response: { uid: 'b4f1', allowed: false, status: { code: 400, reason: 'BadRequest', message: 'a\nb' } },
  });
  const reasons = Array.from({ length: 1000 }, (_, index) => `reason ${index}`);
  const { response } = answerTo(v1!, { ...refused, reasons }) as {
    response: { status: { message: string } };
  };
  t.match(response.status.message.split('\n'), { length: 21, 20: 'and 980 more' });
});

interface Running {
  readonly webhook: Webhook;
  readonly port: number;
  readonly store: FakeStore;
  readonly path: string;
  readonly log: readonly string[];
  readonly post: (body: unknown, options?: Parameters<typeof ask>[3], path?: string) => Promise<Reply>;
}

const secretPath = '/api/v1/namespaces/default/secrets/mtls-ingress-webhook';
const registrationPath = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/mtls-ingress';

function registration(): object {
  return {
    metadata: { name: 'mtls-ingress' },
    webhooks: [
      {
        name: 'ingresses.mtls-ingress.io',
        clientConfig: { service: { namespace: 'default', name: 'mtls-ingress-webhook', port: 443 } },
        failurePolicy: 'Fail',
      },
    ],
  };
}

function registered(store: FakeStore): {
  readonly caBundle: string;
  readonly service: { readonly path: string };
} {
  const { webhooks } = store.objects.get(registrationPath) as {
    webhooks: readonly { clientConfig: { caBundle: string; service: { path: string } } }[];
  };
  return webhooks[0]!.clientConfig;
}

async function start(
  t: Test,
  options: Partial<WebhookOptions> = {},
  store = new FakeStore(),
): Promise<Running> {
  if (!store.objects.has(registrationPath)) store.put(registrationPath, registration());
  const log: string[] = [];
  const webhook = new Webhook({
    listen: { address: '127.0.0.1', port: 0 },
    files: null,
    service: { namespace: 'default', name: 'mtls-ingress-webhook' },
    registration: 'mtls-ingress',
    isDryRun: false,
    client: store.api,
    known: () => knownOf(cluster),
    log: (...line) => void log.push(JSON.stringify(line)),
    ...options,
  });
  t.teardown(() => webhook.close());
  const port = await webhook.port;
  const data = store.objects.get(secretPath)?.['data'] as { token: string } | undefined;
  const token = Buffer.from(data?.token ?? '', 'base64').toString();
  const path = `/networking/v1/ingresses${token === '' ? '' : `/${token}`}`;
  return { webhook, port, store, log, path, post: (body, more, to = path) => ask(port, to, body, more) };
}

void t.test('the API server is told of the CA and the path, and is answered there', async (t) => {
  const { post, store, path } = await start(t);
  const { caBundle, service } = registered(store);
  t.equal(service.path, path);
  const ca = [Buffer.from(caBundle, 'base64').toString()];
  for (const servername of ['.default', '.default.svc', '.default.svc.cluster.local'].map(
    (end) => `mtls-ingress-webhook${end}`,
  )) {
    const reply = await post(reviewOf(broken), { ca, servername }, `${path}?timeout=10s`);
    t.equal(reply.status, 200);
    t.match(JSON.parse(reply.body), {
      response: { uid: 'b4f1', allowed: false, status: { code: 400, message: /proxy-body-size/ } },
    });
  }
  const reply = await post(reviewOf(good, { version: 'v1beta1' }), { ca });
  t.match(JSON.parse(reply.body), { apiVersion: 'admission.k8s.io/v1beta1', response: { allowed: true } });
  await t.rejects(post(reviewOf(good), { ca, servername: 'elsewhere.svc' }), /altnames|does not match/i);
});

void t.test('what is no review of ours is refused by its head, or as soon as it is seen', async (t) => {
  const { post, path } = await start(t);
  const status = async (...args: Parameters<typeof post>): Promise<number> => (await post(...args)).status;
  t.equal(await status('', {}, '/'), 404);
  t.equal(
    await status(reviewOf(good), {}, '/networking/v1/ingresses'),
    404,
    'without the token nobody is told anything',
  );
  t.equal(await status(reviewOf(good), {}, `${path}x`), 404);
  t.equal(await status('', { method: 'GET' }), 405);
  t.equal(await status('', { method: 'PUT' }), 405);
  for (const body of [
    '',
    'x',
    '{',
    '[]',
    '"x"',
    '{"kind":"AdmissionReview"}',
    Buffer.from([0xff, 0xfe, 0x7b]),
  ])
    t.equal(await status(body), 400, String(body));
  t.equal(await status('['.repeat(1_000_000)), 400, 'however deep it goes');
  t.equal(await status('', { headers: { 'content-length': String(maxBody + 1) } }), 413);
  t.equal(await status(' '.repeat(maxBody + 1), { headers: { 'transfer-encoding': 'chunked' } }), 413);
  t.equal(await status(reviewOf(good), { headers: { expect: 'something' } }), 417);
  t.equal(await status(reviewOf(good), { headers: { 'x-long': 'x'.repeat(20_000) } }), 431);
  const large = { ...good, metadata: { ...good.metadata, labels: { a: 'x'.repeat(maxBody - 10_000) } } };
  t.equal(await status(reviewOf(large)), 200);
});

void t.test('before the first whole state nothing is let through', async (t) => {
  const { post } = await start(t, { known: () => null });
  t.match(JSON.parse((await post(reviewOf(good))).body), {
    response: { allowed: false, status: { code: 503, message: /^not yet/ } },
  });
});

void t.test('what cannot be judged is not let through', async (t) => {
  const { post, store, log } = await start(t, { known: () => knownOf(cluster, { hasAsked: () => false }) });
  store.fails = (_, path) => (path.endsWith('/secrets/tls') ? new ApiError(0, 'Unreachable', 'gone') : null);
  t.match(JSON.parse((await post(reviewOf(ingress({ host: 'a.test', tls: 'tls' })))).body), {
    response: { allowed: false, status: { code: 503, message: /cannot be judged: gone/ } },
  });
  t.match(log.at(-1), /the webhook refused an Ingress/);
});

void t.test('many at once are answered one after the other', async (t) => {
  const { post } = await start(t);
  const replies = await Promise.all(
    Array.from({ length: 30 }, (_, index) => post(reviewOf(index % 2 === 0 ? good : broken))),
  );
  t.same(
    replies.map(({ body }) => (JSON.parse(body) as { response: { allowed: boolean } }).response.allowed),
    replies.map((_, index) => index % 2 === 0),
  );
});

void t.test('a dry run answers, and writes nothing', async (t) => {
  const { store, webhook, path } = await start(t);
  await webhook.close();
  store.put(registrationPath, registration());
  store.written.length = 0;
  const lines: string[] = [];
  const log: WebhookOptions['log'] = (...line) => void lines.push(JSON.stringify(line));
  const unread = { list: () => Promise.reject(new Error()), watch: () => Promise.reject(new Error()) };
  const client = new DryApi({ ...store.api, ...unread }, log);
  const times = { everyMs: 5, settleMs: 5 };
  const { port } = await start(t, { client, isDryRun: true, log, times }, store);
  const reply = await ask(port, path, reviewOf(broken));
  t.match(JSON.parse(reply.body), { response: { allowed: false } });
  await until('it says what it does not write', () =>
    lines.some((line) => line.includes('dry run: not written')),
  );
  store.objects.delete(secretPath);
  const alone = await start(t, { client, isDryRun: true, log, times }, store);
  t.equal(
    (await ask(alone.port, path, reviewOf(broken))).status,
    404,
    'of a CA of its own nobody knows the path',
  );
  t.same(store.written, []);
  t.equal(lines.filter((line) => line.includes('not written')).length, 2, 'once by each');
  t.notMatch(lines.join(), /PRIVATE KEY|ca\.key|caBundle|\/networking/);
});

void t.test('reviews are counted, and whether the certificate is kept', async (t) => {
  const told: unknown[] = [];
  const report = {
    webhookReview: (answer: string) => void told.push(answer),
    webhookKept: (isKept: boolean) => void told.push(isKept),
  };
  let known: Known | null = knownOf(cluster);
  const { post } = await start(t, { report, known: () => known });
  await post(reviewOf(good));
  await post(reviewOf(broken));
  known = null;
  await post(reviewOf(good));
  t.same(told, [true, 'allowed', 'refused', 'unjudged']);
});

void t.test('a certificate of files is taken over when it changes, and nothing is written', async (t) => {
  const root = await createAuthority({ cn: 'Files' });
  const issue = async (cn: string) =>
    root.issue({ cn, hosts: ['mtls-ingress-webhook.default.svc'], usage: 'server' });
  const [one, two] = [await issue('one'), await issue('two')];
  const dir = t.testdir({ 'tls.crt': one.bundle, 'tls.key': one.key });
  const store = new FakeStore();
  const running = await start(t, { files: { certificate: `${dir}/tls.crt`, key: `${dir}/tls.key` } }, store);
  t.same(store.written, [registrationPath]);
  const served = async () => (await running.post(reviewOf(good), { ca: [root.cert] })).certificate.subject.CN;
  t.equal(await served(), 'one');
  writeFileSync(`${dir}/tls.crt`, 'rubbish');
  await until('it is told', () => running.log.some((line) => line.includes('cannot be used')));
  t.equal(await served(), 'one');
  writeFileSync(`${dir}/tls.crt`, two.bundle);
  writeFileSync(`${dir}/tls.key`, two.key);
  await until('the other is served', async () => (await served()) === 'two');
});

void t.test('a port that is taken is waited for, and harms nobody', async (t) => {
  const first = await start(t);
  const log: string[] = [];
  const second = new Webhook({
    listen: { address: '127.0.0.1', port: first.port },
    files: null,
    service: { namespace: 'default', name: 'mtls-ingress-webhook' },
    registration: 'mtls-ingress',
    isDryRun: false,
    client: first.store.api,
    known: () => null,
    log: (...line) => void log.push(JSON.stringify(line)),
  });
  t.teardown(() => second.close());
  await until('it is told', () => log.some((line) => line.includes('EADDRINUSE')));
  await first.webhook.close();
  t.equal(await second.port, first.port);
});

void t.test('a review that is under way when it ends is answered', async (t) => {
  const asked = Promise.withResolvers<void>();
  const secret = Promise.withResolvers<never>();
  const store = new FakeStore();
  const { get } = store.api;
  const api = {
    ...store.api,
    get: async (path: string) => {
      if (!path.endsWith('/secrets/late')) return get(path);
      asked.resolve();
      return secret.promise;
    },
  };
  const known = (): Known => knownOf(cluster, { hasAsked: (_, key) => !key.endsWith('/late') });
  const { post, webhook } = await start(t, { client: api, known }, store);
  const reply = post(reviewOf(ingress({ host: 'late.test', tls: 'late' })));
  await asked.promise;
  const closed = webhook.close();
  secret.reject(new ApiError(404, 'NotFound', 'not there'));
  t.match(JSON.parse((await reply).body), { response: { allowed: true, warnings: [/is not there/] } });
  await closed;
});
