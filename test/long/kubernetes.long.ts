import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { request } from '../support/client.ts';
import { fileText, needsCluster, TestCluster } from '../support/cluster.ts';
import { get, type Got, Load, startController, startNamed, until } from '../support/controller.ts';
import { configMap, endpoints, ingress, ingressClass, secret, service, slice } from '../support/objects.ts';
import { ownAddress } from '../support/own-address.ts';
import { createAuthority } from '../support/pki.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { serveWith } from '../support/serve.ts';

const root = await createAuthority({ cn: 'Root A' });
const certificateOf = async (cn: string, ...hosts: string[]): Promise<Readonly<Record<string, string>>> => {
  const { bundle, key } = await root.issue({ cn, hosts, usage: 'server' });
  return { 'tls.crt': bundle, 'tls.key': key };
};

void t.test('a controller over a real API server', { ...needsCluster(), timeout: 120_000 }, async (t) => {
  const cluster = await TestCluster.start(t);
  const address = ownAddress(t);
  const port = await startNamed(t, 'one', address);

  await t.test("the user's manifest, applied as it is, answers to a client certificate", async (t) => {
    const host = 'in.logpoint.com.np';
    await cluster.kubectl(['create', 'namespace', 'ingress-nginx']);
    await cluster.apply(
      ingressClass('nginx', 'k8s.io/ingress-nginx', true),
      service('httpbin', 8000),
      slice('httpbin-1', 'httpbin', port, [address]),
      secret(
        'logpoint-ingress',
        { ...(await certificateOf('server', host)), 'ca.crt': root.cert },
        'ingress-nginx',
      ),
    );
    const dir = t.testdir({});
    const certificate = await root.issue({ cn: 'roshankhatri', ou: 'ITOps' });
    const [cert, key] = [join(dir, 'client.pem'), join(dir, 'client-key.pem')];
    writeFileSync(cert, certificate.bundle);
    writeFileSync(key, certificate.key);
    const program = await serveWith(
      t,
      [
        '--kubernetes',
        `--kubeconfig=${cluster.kubeconfig}`,
        '--allow-cross-namespace-secrets',
        '--address=127.0.0.1',
        '--https-port=0',
        '--http-port=0',
        '--admin-port=0',
      ],
      dir,
    );
    const curl = async (...args: readonly string[]): Promise<string> => {
      const where = [
        '-sk',
        '--resolve',
        `${host}:${program.httpsPort}:127.0.0.1`,
        `https://${host}:${program.httpsPort}/`,
      ];
      const child = spawn('curl', [...where, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
      return text(child.stdout);
    };
    const status = ['-o', '/dev/null', '-w', '%{http_code}'];
    t.equal(await curl(...status), '404', 'there is no such host yet');
    await cluster.apply(fileText('config', 'ingress', 'httpbin.yaml'));
    await until('it answers', async () => (await curl(...status, '--cert', cert, '--key', key)) === '200');
    t.equal(await curl('--cert', cert, '--key', key), 'one');
    t.equal(await curl(...status), '400');
    await cluster.kubectl(['delete', 'ingress', 'httpbin']);
    await until('it is gone', async () => (await curl(...status, '--cert', cert, '--key', key)) === '404');
    program.child.kill('SIGTERM');
    await once(program.child, 'exit');
    t.equal(program.child.exitCode, 0, 'it drains and ends by itself');
  });

  await t.test('every kind created, changed and deleted, and not a request lost', async (t) => {
    const elsewhere = await startNamed(t, 'two', address);
    const tls = async (cn: string) => secret('web-tls', await certificateOf(cn, 'web.test', 'more.test'));
    await cluster.put(
      ingressClass(),
      await tls('first'),
      service('web'),
      slice('web-1', 'web', port, [address]),
      ingress({ host: 'web.test', tls: 'web-tls' }),
    );
    const controller = await startController(t, cluster.kubeconfig);
    const ask = (host: string, path = '/') => get(controller.port, host, { path });
    const comes = (host: string, expected: Partial<Got>): Promise<void> =>
      until(JSON.stringify(expected), async () => {
        const got: Readonly<Record<string, unknown>> = { ...(await ask(host)) };
        return Object.entries(expected).every(([name, value]) => got[name] === value);
      });
    t.match(await ask('web.test'), { status: 200, server: 'first', body: 'one' });
    // What is done to others leaves it alone; what is done to itself, too.
    const load = new Load(controller.port, 'web.test');
    t.teardown(() => load.stop());

    // Secret
    await cluster.put(await tls('second'));
    await comes('web.test', { server: 'second' });
    await cluster.put(secret('web-tls', { 'tls.crt': 'rubbish', 'tls.key': 'rubbish' }));
    const kept = () =>
      controller.log.some((line) => /keeps the certificate that it had/.test(String(line['message'])));
    await until('it is told that the Secret is broken', kept);
    t.equal((await ask('web.test')).server, 'second', 'a broken Secret leaves the certificate that was good');
    await cluster.remove(secret('web-tls', {}));
    await until('it is told that the Secret is gone', () =>
      controller.log.some((line) => /default\/web-tls is not there/.test(String(line['message']))),
    );
    t.equal((await ask('web.test')).server, 'second', 'and so does one that is gone');
    await cluster.put(await tls('third'));
    await comes('web.test', { server: 'third' });

    // EndpointSlice: another endpoint, and one that ends.
    await cluster.put(slice('web-1', 'web', elsewhere, [address]));
    await comes('web.test', { body: 'two' });
    await cluster.put(slice('web-2', 'web', port, [address]), slice('web-1', 'web', elsewhere, []));
    await comes('web.test', { body: 'one' });
    await cluster.remove(slice('web-1', 'web', elsewhere, []));

    // Ingress
    const more = ingress({ host: 'more.test', service: 'more', tls: 'web-tls' });
    await cluster.put(more);
    await comes('more.test', { status: 503 });

    // Service, which comes after its Ingress, and changes its port.
    await cluster.put(slice('more-1', 'more', elsewhere, [address]), service('more'));
    await comes('more.test', { status: 200, body: 'two', server: 'third' });
    await cluster.put(service('more', 81));
    await comes('more.test', { status: 503 });
    await cluster.put(service('more'));
    await comes('more.test', { status: 200 });
    await cluster.remove(service('more'));
    await comes('more.test', { status: 503 });

    // IngressClass
    await cluster.put(ingress({ host: 'more.test', className: 'second' }));
    await comes('more.test', { status: 404 });
    await cluster.put(ingressClass('second'));
    await comes('more.test', { status: 200 });
    await cluster.remove(ingressClass('second'));
    await comes('more.test', { status: 404 });
    await cluster.remove(more);

    // ConfigMap: what holds for all, and what one of its keys names.
    await cluster.kubectl(['create', 'namespace', 'ingress-nginx']).catch(() => {});
    const answered = async (name: string): Promise<string | undefined> =>
      (await request({ port: controller.port, serverName: 'web.test', host: 'web.test' })).headers[name];
    await cluster.put(
      configMap('ingress-nginx-controller', { 'add-headers': 'ingress-nginx/more-headers' }, 'ingress-nginx'),
      configMap('more-headers', { 'X-From': 'first' }, 'ingress-nginx'),
    );
    await until('the header', async () => (await answered('x-from')) === 'first');
    await cluster.put(configMap('more-headers', { 'X-From': 'second' }, 'ingress-nginx'));
    await until('its new value', async () => (await answered('x-from')) === 'second');
    await cluster.remove(configMap('ingress-nginx-controller', {}, 'ingress-nginx'));
    await until('it is gone', async () => (await answered('x-from')) === undefined);

    t.same(await load.stop(), []);
    t.ok(load.count > 50, 'there were requests all along');
  });

  await t.test('a CA that is gone lets nobody in', async (t) => {
    const annotations = { 'auth-tls-secret': 'default/ca' };
    const client = { certificate: await root.issue({ cn: 'someone' }) };
    await cluster.put(secret('ca', { 'ca.crt': root.cert }), ingress({ host: 'mutual.test', annotations }));
    const controller = await startController(t, cluster.kubeconfig);
    t.equal((await get(controller.port, 'mutual.test', client)).status, 200);
    await cluster.remove(secret('ca', {}));
    await until(
      'it is closed',
      async () => (await get(controller.port, 'mutual.test', client)).status === 403,
    );
    await cluster.put(secret('ca', { 'ca.crt': root.cert }));
    await until('it is open', async () => (await get(controller.port, 'mutual.test', client)).status === 200);
  });

  await t.test(
    'only what is ours: classes, the default one, a namespace, namespaces by their labels',
    async (t) => {
      await cluster.put(
        ingressClass('nginx', 'k8s.io/ingress-nginx', false),
        ingressClass('other', 'example.com/other'),
      );
      await cluster.kubectl(['create', 'namespace', 'shop']);
      await cluster.kubectl(['label', 'namespace', 'shop', 'team=shop']);
      const old = { 'kubernetes.io/ingress.class': 'nginx' };
      await cluster.put(
        service('web', 80, 'shop'),
        ingress({ host: 'ours.test' }),
        ingress({ host: 'theirs.test', className: 'other' }),
        ingress({ host: 'absent.test', className: 'nobody' }),
        ingress({ host: 'old.test', className: null, annotations: old }),
        ingress({ host: 'none.test', className: null }),
        ingress({ host: 'shop.test', namespace: 'shop' }),
      );
      const hosts = ['ours', 'theirs', 'absent', 'old', 'none', 'shop'];
      const served = async (flags: Parameters<typeof startController>[2]): Promise<string[]> => {
        const { port: there } = await startController(t, cluster.kubeconfig, flags);
        const statuses = await Promise.all(hosts.map((host) => get(there, `${host}.test`)));
        // Of those that are served one has no endpoints.
        return hosts.filter((_, index) => statuses[index]?.status !== 404);
      };
      t.same(await served({}), ['ours', 'old', 'shop']);
      t.same(await served({ 'watch-ingress-without-class': true }), ['ours', 'old', 'none', 'shop']);
      t.same(await served({ 'controller-class': 'example.com/other', 'ingress-class': 'other' }), ['theirs']);
      t.same(await served({ 'watch-namespace': 'shop' }), ['shop']);
      t.same(await served({ 'watch-namespace-selector': 'team=shop' }), ['shop']);
      const changing = await startController(t, cluster.kubeconfig, {
        'watch-namespace-selector': 'team=shop',
      });
      await cluster.kubectl(['label', 'namespace', 'default', 'team=shop']);
      await until(
        'a namespace that is labelled counts',
        async () => (await get(changing.port, 'ours.test')).status === 200,
      );
      await cluster.put(ingressClass('nginx', 'k8s.io/ingress-nginx', true));
      await until(
        'without a class it is ours by default',
        async () => (await get(changing.port, 'none.test')).status === 200,
      );
    },
  );

  await t.test('a rollout of 500 endpoints is one swap', async (t) => {
    await cluster.put(service('many'), ingress({ host: 'many.test', service: 'many' }));
    const proxy = await TcpProxy.start(t, cluster.port);
    const kubeconfig = join(t.testdir({}), 'through-proxy');
    writeFileSync(
      kubeconfig,
      readFileSync(cluster.kubeconfig, 'utf8').replace(cluster.server, `https://127.0.0.1:${proxy.port}`),
    );
    const controller = await startController(t, kubeconfig);
    const rollout = Array.from({ length: 5 }, (_, index) =>
      slice(
        `many-${index}`,
        'many',
        port,
        Array.from({ length: 100 }, (_address, at) => `10.9.${index}.${at + 1}`),
      ),
    );
    const swaps = (): number => controller.log.filter((line) => line['kind'] === 'reload').length;
    await until('nothing else comes', async () => {
      const before = swaps();
      await new Promise((resolve) => setTimeout(resolve, 200));
      return swaps() === before;
    });
    const before = swaps();
    // All of it comes at once, however slow this machine is at making it.
    proxy.stall();
    await Promise.all(rollout.map((one) => cluster.create(one)));
    proxy.flow();
    const count = (): number =>
      controller.app.snapshot.upstreams.get('default.many.80')?.endpoints.length ?? 0;
    await until('they are there', () => count() === 500);
    t.equal(swaps() - before, 1);
  });
});

void t.test('a server without EndpointSlices is asked for Endpoints', needsCluster(), async (t) => {
  const cluster = await TestCluster.start(t, { flags: ['--runtime-config=discovery.k8s.io/v1beta1=false'] });
  const address = ownAddress(t);
  const port = await startNamed(t, 'one', address);
  const other = await startNamed(t, 'two', address);
  await cluster.put(
    ingressClass(),
    service(),
    endpoints('web', port, [address]),
    ingress({ host: 'web.test' }),
  );
  const controller = await startController(t, cluster.kubeconfig);
  t.match(await get(controller.port, 'web.test'), { status: 200, body: 'one' });
  await cluster.put(endpoints('web', other, [address]));
  await until('the other', async () => (await get(controller.port, 'web.test')).body === 'two');
  await cluster.remove(endpoints('web', other, []));
  await until('there are none', async () => (await get(controller.port, 'web.test')).status === 503);
});
