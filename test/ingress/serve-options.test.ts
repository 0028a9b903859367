import t from 'tap';
import { readManifestFlags } from '../../src/ingress/serve-options.ts';

void t.test(
  "without flags it is ingress-nginx's: class nginx or none, 80 and 443, nothing across namespaces",
  async (t) => {
    t.match(readManifestFlags({}), {
      ingressClass: 'nginx',
      controllerClass: 'k8s.io/ingress-nginx',
      watchWithoutClass: true,
      requiresClass: false,
      zone: null,
      keepsCertificates: false,
      configMap: 'ingress-nginx/ingress-nginx-controller',
      requiresConfigMap: false,
      allowCrossNamespaceSecrets: false,
      defaultBackendService: null,
      defaultCertificateSecret: null,
      base: { listeners: { https: { port: 443 }, http: { port: 80 }, admin: { address: '127.0.0.1' } } },
    });
  },
);

void t.test('a Service may be told of more than once, with a port and with IPv6', async (t) => {
  const options = readManifestFlags({
    resolve: ['a/b=127.0.0.1:80,[::1]:81', 'a/b=host.test:82', 'a/b:http=10.0.0.1:83'],
    'http-port': 'off',
  });
  t.ok('resolve' in options);
  if (!('resolve' in options)) return;
  t.same(
    [...options.resolve],
    [
      ['a/b', ['127.0.0.1:80', '[::1]:81', 'host.test:82']],
      ['a/b:http', ['10.0.0.1:83']],
    ],
  );
  t.notOk('http' in options.base.listeners);
});

void t.test('a flag that makes no sense is told of', async (t) => {
  for (const flags of [
    { resolve: ['b=127.0.0.1:80'] },
    { resolve: ['a/b=127.0.0.1'] },
    { resolve: ['a/b=127.0.0.1:0'] },
    { resolve: ['a/b=http://x:80'] },
    { resolve: ['A/b=127.0.0.1:80'] },
    { 'https-port': '70000' },
    { 'http-port': 'none' },
    { address: 'localhost' },
    { 'default-backend-service': 'web' },
    { configmap: 'web' },
    { 'default-ssl-certificate': 'web' },
    { 'default-ssl-certificate': 'a/b/c' },
  ]) {
    t.match(readManifestFlags(flags), { fault: /^--/ }, JSON.stringify(flags));
  }
});
