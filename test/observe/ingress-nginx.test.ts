import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { catalogue } from '../../src/observe/catalogue.ts';
import { aliases, type Alias } from '../../src/observe/ingress-nginx/names.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { readManifestFlags } from '../../src/ingress/serve-options.ts';
import { translate } from '../../src/ingress/translate.ts';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { makePem, objectsOf } from '../ingress/fixture.ts';
import {
  find,
  forward,
  requestEvent,
  respond,
  samplesOf,
  testHost,
  testRoute,
  testSnapshot,
  valueOf,
} from './fixture.ts';

const root = await createAuthority({ cn: 'Issuing CA', names: [['O', 'Example Ltd']] });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const origin = { namespace: 'shop', name: 'orders', service: 'orders-web' };
const routes = [
  testRoute('a.test', '/', { ingress: origin, upstream: 'shop.orders-web.80' }),
  testRoute('a.test', '/api', {
    ingress: { ...origin, service: 'orders-api' },
    upstream: 'shop.orders-api.80',
  }),
];
const host = testHost('a.test', { routes, certificate: { cert: server.bundle, key: '' } });
const other = testHost('b.test', {
  routes: [
    testRoute('b.test', '/', { ingress: { ...origin, name: 'one' } }),
    testRoute('b.test', '/x', { ingress: { ...origin, name: 'two' } }),
  ],
});
const controller = { namespace: 'mtls-ingress', pod: 'mtls-ingress-1' };
const names = Object.values<Alias>(aliases);

function metricsOf(ingressNginxNames: boolean, process = false): Metrics {
  const metrics = new Metrics({ version: '1.2.3', process, controller });
  metrics.describeSnapshot(testSnapshot([host, other], { ingressNginxNames }));
  return metrics;
}

void t.test('without the switch no name of ingress-nginx is on the page', async (t) => {
  const metrics = metricsOf(false);
  metrics.request(requestEvent(forward(host)));
  t.notMatch(await metrics.render(), /nginx_ingress_controller/);
});

void t.test(
  'with it requests stand under the names and labels that dashboards of ingress-nginx ask for',
  async (t) => {
    const metrics = metricsOf(true);
    metrics.request(requestEvent(forward(host)));
    metrics.request(requestEvent(forward(host, routes[1])));
    metrics.request(requestEvent(forward(host, routes[1]), { status: 502, reason: 'upstream_refused' }));
    metrics.request(requestEvent(respond('no_host', null)));
    const page = await metrics.render();
    const of = {
      host: 'a.test',
      path: '/api',
      namespace: 'shop',
      ingress: 'orders',
      service: 'orders-api',
      controller_class: 'k8s.io/ingress-nginx',
      controller_namespace: 'mtls-ingress',
      controller_pod: 'mtls-ingress-1',
    };
    t.equal(valueOf(page, 'nginx_ingress_controller_requests', { ...of, status: '200', method: 'GET' }), 1);
    t.equal(valueOf(page, 'nginx_ingress_controller_requests', { ...of, status: '502', method: 'GET' }), 1);
    t.equal(valueOf(page, 'nginx_ingress_controller_requests', { host: '_', status: '404' }), 1);
    t.equal(
      valueOf(page, 'nginx_ingress_controller_request_duration_seconds_count', { ...of, status: '2xx' }),
      1,
    );
    t.equal(
      valueOf(page, 'nginx_ingress_controller_request_duration_seconds_bucket', {
        ...of,
        status: '2xx',
        le: '0.005',
      }),
      1,
    );
    t.equal(
      valueOf(page, 'nginx_ingress_controller_response_size_sum', { host: 'a.test', ingress: 'orders' }),
      600,
    );
    t.equal(
      valueOf(page, 'nginx_ingress_controller_response_size_count', { host: 'a.test', ingress: 'orders' }),
      3,
    );
    t.same(
      find(page, 'nginx_ingress_controller_request_size_sum', { host: 'b.test' }).map(
        ({ labels }) => labels['ingress'],
      ),
      [''],
      'a host of several Ingresses is none of them',
    );
    t.equal(valueOf(page, 'nginx_ingress_controller_nginx_process_requests_total'), 4);
  },
);

void t.test('numbers under their names are ours', async (t) => {
  const metrics = metricsOf(true);
  for (let times = 0; times < 7; times++) metrics.request(requestEvent(forward(host)));
  metrics.connectionOpened('https');
  metrics.reload({ result: 'failure', version: null, problems: [] });
  const page = await metrics.render();
  const sum = (name: string): number => find(page, name).reduce((all, { value }) => all + value, 0);
  t.equal(sum('nginx_ingress_controller_requests'), sum('mtls_requests_total'));
  t.equal(
    sum('nginx_ingress_controller_request_duration_seconds_sum'),
    sum('mtls_request_duration_seconds_sum'),
  );
  t.equal(valueOf(page, 'nginx_ingress_controller_nginx_process_connections', { state: 'active' }), 1);
  t.equal(valueOf(page, 'nginx_ingress_controller_errors'), 1);
  t.equal(valueOf(page, 'nginx_ingress_controller_config_last_reload_successful'), 0);
});

void t.test('certificates of hosts stand under their names', async (t) => {
  const page = await metricsOf(true).render();
  const of = { host: 'a.test', namespace: 'shop', class: 'k8s.io/ingress-nginx' };
  t.equal(
    valueOf(page, 'nginx_ingress_controller_ssl_expire_time_seconds', of),
    valueOf(page, 'mtls_server_certificate_not_after_seconds', { host: 'a.test' }),
  );
  t.equal(
    valueOf(page, 'nginx_ingress_controller_ssl_certificate_info', {
      ...of,
      issuer_common_name: 'Issuing CA',
      issuer_organization: 'Example Ltd',
      serial_number: BigInt(`0x${server.serial}`).toString(),
      public_key_algorithm: 'ECDSA',
    }),
    1,
  );
});

void t.test('they have no more series than ours have, whatever clients send', async (t) => {
  const metrics = metricsOf(true);
  for (let times = 0; times < 2000; times++) {
    const decision = times % 2 === 0 ? forward(host) : respond('no_host', null);
    metrics.request(
      requestEvent(decision, { method: `M${times}`, authority: `${times}.test`, target: `/${times}` }),
    );
  }
  const samples = samplesOf(await metrics.render());
  const theirs = samples.filter(({ name }) => name.startsWith('nginx_ingress_controller_'));
  t.ok(theirs.length <= samples.length / 2, `${theirs.length} of ${samples.length}`);
});

void t.test('promtool accepts the page, of one process and of several', needs('promtool'), async (t) => {
  const metrics = metricsOf(true, true);
  metrics.request(requestEvent(forward(host)));
  const worker = metricsOf(true, true);
  worker.request(requestEvent(forward(host)));
  const together = await metrics.renderWith([await worker.state()]);
  t.equal(
    valueOf(together, 'nginx_ingress_controller_nginx_process_requests_total'),
    2,
    'workers are folded in',
  );
  t.ok(valueOf(together, 'nginx_ingress_controller_nginx_process_resident_memory_bytes') > 1e6);
  for (const input of [await metrics.render(), together]) {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input,
      encoding: 'utf8',
    });
    t.equal(status, 0, stdout + stderr);
    t.equal(stdout + stderr, '');
    for (const { name } of names) t.match(input, `# TYPE ${name} `, name);
  }
});

void t.test('the table in docs/metrics.md has each of them, with what it is made from', (t) => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'metrics.md'), 'utf8');
  const rows = new Map(
    page
      .split('\n')
      .filter((line) => line.startsWith('| `nginx_'))
      .map((line) => [/`([^`]+)`/.exec(line)![1]!, line] as const),
  );
  t.same([...rows.keys()].sort(), names.map(({ name }) => name).sort());
  const ours = new Set<string>(Object.values(catalogue).map(({ name }) => name));
  for (const { name, labels, from } of names) {
    for (const one of from) {
      t.ok(rows.get(name)?.includes(one), `${name}: ${one}`);
      t.ok(ours.has(one) || !one.startsWith('mtls_'), one);
    }
    for (const label of labels.filter((label) => !label.startsWith('controller_')))
      t.ok(rows.get(name)?.includes(`\`${label}\``), `${name}: ${label}`);
  }
  t.end();
});

void t.test(
  'routes of manifests say which Ingress and Service they stand for, where it is asked for',
  async (t) => {
    const pem = await makePem();
    const objects = objectsOf(
      'test.yaml',
      `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: orders, namespace: shop }
spec:
  ingressClassName: nginx
  rules:
    - host: a.test
      http:
        paths:
          - { path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }
`,
      pem,
    );
    const ingressOf = (flag: boolean) => {
      const options = readManifestFlags({ 'ingress-nginx-metrics': flag, resolve: ['shop/web=127.0.0.1:1'] });
      if ('fault' in options) throw new Error(options.fault);
      const defaultCertificate = { cert: pem.values['CERT']!, key: pem.values['KEY']! };
      const { config } = translate(objects, { ...options, defaultCertificate });
      const route = config.hosts.find(({ names }) => names.includes('a.test'))?.routes[0];
      return { switched: config.metrics?.ingressNginxNames, ingress: route?.ingress };
    };
    t.same(ingressOf(true), {
      switched: true,
      ingress: { namespace: 'shop', name: 'orders', service: 'web' },
    });
    t.same(ingressOf(false), { switched: undefined, ingress: undefined });
  },
);
