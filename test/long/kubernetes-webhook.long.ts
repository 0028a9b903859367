import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ClusterParts } from '../../src/ingress/kubernetes/serve-options.ts';
import { asController } from '../support/account.ts';
import { needsCluster, TestCluster } from '../support/cluster.ts';
import {
  type Controller,
  get,
  Load,
  quickTimes,
  startController,
  startNamed,
  until,
} from '../support/controller.ts';
import { configMap, ingress, ingressClass, type Manifest, service, slice } from '../support/objects.ts';
import { freePort } from '../support/free-port.ts';
import { ownAddress } from '../support/own-address.ts';
import { kustomize, type Rendered, theOne } from '../support/rendered.ts';
import { serveWith } from '../support/serve.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const base = kustomize(join(import.meta.dirname, '..', '..', 'deploy', 'kubernetes', 'base'));
const webhook = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/mtls-ingress';
const secretPath = '/api/v1/namespaces/mtls-ingress/secrets/mtls-ingress-webhook';
const rights = new Set([
  'Namespace',
  'ServiceAccount',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
]);

/** The registration as it is shipped, but for where the API server comes to: there is no network of Services here. */
function registrationAt(port: number): Rendered {
  const object = theOne(base, 'ValidatingWebhookConfiguration');
  const webhooks = (object['webhooks'] as readonly object[]).map((one) => ({
    ...one,
    clientConfig: { url: `https://127.0.0.1:${port}/` },
  }));
  return { ...object, webhooks };
}

const broken = ingress({ host: 'broken.test', annotations: { 'proxy-body-size': 'much' } });

void t.test(
  'the validating webhook at a real API server',
  { ...needsCluster(), timeout: 150_000 },
  async (t) => {
    const cluster = await TestCluster.start(t);
    const address = ownAddress(t);
    await cluster.apply(
      ...base.filter(({ kind }) => rights.has(kind)),
      ingressClass(),
      ingressClass('other', 'example.com/other'),
      service(),
      slice('web-1', 'web', 80, [address]),
    );
    const start = async (
      webhookTimes: ClusterParts['webhookTimes'] = {},
    ): Promise<Controller & { webhookPort: number }> => {
      const flags = {
        'validating-webhook': '127.0.0.1:0',
        'validating-webhook-service': 'mtls-ingress/mtls-ingress-webhook',
        'update-status': 'false',
      };
      const controller = await startController(t, await asController(cluster), flags, quickTimes, {
        times: { everyMs: 200, settleMs: 300 },
        ...webhookTimes,
      });
      await until('the webhook listens', () => controller.logged('the webhook listens').length === 1);
      const [line] = controller.logged('the webhook listens');
      return { ...controller, webhookPort: Number(line?.['port']) };
    };
    const bundle = async (): Promise<readonly string[]> => {
      const object = (await cluster.client().get(webhook)) as {
        webhooks: readonly { clientConfig: { caBundle?: string } }[];
      };
      const text = Buffer.from(object.webhooks[0]?.clientConfig.caBundle ?? '', 'base64').toString();
      return text.match(/-----BEGIN[^]+?-----END CERTIFICATE-----\n/g) ?? [];
    };
    const refusal = async (...manifests: readonly (string | Manifest)[]): Promise<string> =>
      cluster.apply(...manifests).then(
        () => 'accepted',
        (error: unknown) => String(error),
      );

    const one = await start();
    const way = await TcpProxy.start(t, one.webhookPort);
    // As the log tells of it where nobody judges it before.
    await cluster.apply(broken);
    const isTold = (line: Readonly<Record<string, unknown>>): boolean =>
      /broken-test/.test(String(line['message']));
    await until('the log tells of it', () => one.log.some(isTold));
    const told = String(one.log.find(isTold)?.['message']);
    await cluster.remove(broken);

    await t.test('it registers itself, with exactly the rights that are shipped', async (t) => {
      await until('it is told that there is no registration', () =>
        one.log.some((line) => /there is no ValidatingWebhookConfiguration/.test(String(line['fault']))),
      );
      await cluster.apply(registrationAt(way.port));
      await until('it is registered', async () => (await bundle()).length === 1);
      await until(
        'nothing is wrong any more',
        () => one.logged('the certificate of the webhook is kept again').length > 0,
      );
      const there = (await cluster.client().get(webhook)) as { webhooks: readonly object[] };
      t.match(there.webhooks, [{ failurePolicy: 'Fail', sideEffects: 'None', timeoutSeconds: 10 }]);
      // Until then nobody could have been asked.
      await until('it is asked', async () => !/failed calling webhook/.test(await refusal(broken)));
    });

    await t.test('a broken Ingress is refused with the line of the log, a good one is not', async (t) => {
      const text = await refusal(broken);
      t.match(text, 'admission webhook "ingresses.mtls-ingress.io" denied the request');
      t.ok(text.includes(told), `${told} is in ${text}`);
      const old = (apiVersion: string): Manifest => ({
        ...broken,
        apiVersion,
        spec: {
          ingressClassName: 'nginx',
          rules: [
            {
              host: 'broken.test',
              http: { paths: [{ path: '/', backend: { serviceName: 'web', servicePort: 80 } }] },
            },
          ],
        },
      });
      t.ok(
        (await refusal(old('networking.k8s.io/v1beta1'))).includes(told),
        'in whatever version it is written',
      );
      t.ok((await refusal(old('extensions/v1beta1'))).includes(told));
      const good = ingress({ host: 'good.test' });
      await cluster.apply(good);
      const worse = ingress({ host: 'good.test', annotations: { 'proxy-body-size': 'much' } });
      t.match(await refusal(worse), 'denied the request', 'neither is a change');
      const dry = cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], JSON.stringify(broken));
      await t.rejects(dry, /denied the request/, 'nor would it be');
      await cluster.kubectl(['label', 'ingress', 'good-test', 'a=b']);
      await cluster.remove(good);
    });

    await t.test('what is not ours, or not ready, is let through', async (t) => {
      const annotations = { 'proxy-body-size': 'much' };
      t.equal(await refusal(ingress({ host: 'other.test', className: 'other', annotations })), 'accepted');
      t.equal(await refusal(ingress({ host: 'none.test', className: null, annotations })), 'accepted');
      t.equal(await refusal(ingress({ host: 'soon.test', tls: 'soon', service: 'soon' })), 'accepted');
      t.match(
        await refusal(ingress({ name: 'late', host: 'soon.test' })),
        /belongs to default\/soon-test, which comes first/,
      );
    });

    await t.test('a second replica has the same CA, and judges when the first has gone', async (t) => {
      const [ca] = await bundle();
      const { metadata } = (await cluster.client().get(secretPath)) as {
        metadata: { resourceVersion: string };
      };
      const two = await start();
      t.same(await bundle(), [ca]);
      t.match(await cluster.client().get(secretPath), {
        metadata: { resourceVersion: metadata.resourceVersion },
      });
      way.leadTo(two.webhookPort);
      await one.app.stop();
      await until('the other is asked', async () => (await refusal(broken)).includes(told));
      t.same(two.logged('the webhook has a new CA'), []);
      // It would make the next CA, which the next test wants of others.
      await two.app.stop();
    });

    await t.test('its CA and certificates are made anew under use, and no write fails', async (t) => {
      // A CA for nine seconds is followed by another after six.
      const short = { lifetimes: { authorityMs: 9000, servingMs: 9000 } };
      const three = await start(short);
      const four = await start(short);
      way.leadTo(three.webhookPort);
      // Theirs is good for a year: they begin with one of their own.
      await cluster.client().delete(secretPath);
      const first = await bundle();
      const seen = new Set(first);
      const failed: string[] = [];
      let writes = 0;
      let most = 0;
      const began = Date.now();
      while (seen.size < first.length + 3 && Date.now() - began < 60_000) {
        const good = ingress({ host: `host-${writes}.test` });
        way.leadTo(writes % 2 === 0 ? three.webhookPort : four.webhookPort);
        // The API server keeps its connection, and would see no new certificate.
        if (writes % 5 === 0) way.reset();
        await cluster
          .create(good)
          .then(() => cluster.remove(good))
          .catch((error: unknown) => failed.push(String(error)));
        writes++;
        const now = await bundle();
        most = Math.max(most, now.length);
        for (const pem of now) seen.add(pem);
      }
      t.ok(seen.size >= first.length + 3, `${seen.size} CAs in ${Date.now() - began} ms`);
      t.ok(most >= 2, 'both are trusted while one follows the other');
      t.same(failed, []);
      t.ok(writes > 20, `${writes} writes`);
      t.comment(`${writes} writes over ${seen.size - first.length} new CAs`);
      const ends = (await bundle()).map((pem) => new X509Certificate(pem).validToDate.getTime());
      t.ok(ends.some((end) => end > Date.now()));
      t.ok((await refusal(broken)).includes(told));
      await Promise.all([three.app.stop(), four.app.stop()]);
    });

    await t.test(
      'of a program with workers the supervisor judges, and nobody who is served notices',
      async (t) => {
        const backend = await startNamed(t, 'served', address);
        await cluster.put(
          configMap('settings', { 'worker-processes': '2' }, 'mtls-ingress'),
          service('served'),
          slice('served-1', 'served', backend, [address]),
        );
        const webhookPort = await freePort();
        const program = await serveWith(t, [
          '--kubernetes',
          `--kubeconfig=${await asController(cluster)}`,
          '--configmap=mtls-ingress/settings',
          '--update-status=false',
          `--validating-webhook=127.0.0.1:${webhookPort}`,
          '--validating-webhook-service=mtls-ingress/mtls-ingress-webhook',
          '--address=127.0.0.1',
          '--https-port=0',
          '--http-port=0',
          '--admin-port=0',
        ]);
        way.leadTo(webhookPort);
        way.reset();
        await until('it judges', async () => (await refusal(broken)).includes(told));
        t.ok(ownsPort(program.child.pid!, webhookPort));
        await cluster.apply(ingress({ host: 'served.test', service: 'served' }));
        await until('it serves', async () => (await get(program.httpsPort, 'served.test')).body === 'served');
        const load = new Load(program.httpsPort, 'served.test');
        const answers = await Promise.all(
          Array.from({ length: 60 }, (_, index) =>
            cluster
              .create(index % 2 === 0 ? broken : ingress({ host: `many-${index}.test` }))
              .then(() => 'accepted', String),
          ),
        );
        t.same(await load.stop(), []);
        t.ok(load.count > 0);
        t.equal(answers.filter((answer) => answer === 'accepted').length, 30);
        t.equal(answers.filter((answer) => /denied the request/.test(answer)).length, 30);
        program.child.kill('SIGTERM');
        await once(program.child, 'exit');
        t.equal(program.child.exitCode, 0, 'it drains and ends by itself');
        t.match(
          await refusal(ingress({ host: 'closed.test' })),
          /failed calling webhook/,
          'then nobody lets anything in',
        );
      },
    );
  },
);

/** A process itself listens on a port of IPv4. */
function ownsPort(pid: number, port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n');
  const sockets = new Set(
    rows
      .map((row) => row.trim().split(/\s+/))
      .filter(([, local, , state]) => local?.endsWith(wanted) === true && state === '0A')
      .map((row) => `socket:[${row[9]}]`),
  );
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).some((fd) => {
    try {
      return sockets.has(readlinkSync(`${folder}/${fd}`));
    } catch {
      // It has been closed meanwhile.
      return false;
    }
  });
}
