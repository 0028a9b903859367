/** Objects of Kubernetes, as JSON. */
export type KubernetesJson = Readonly<Record<string, unknown>>;

type PathSpec = readonly [path: string, pathType: 'Exact' | 'Prefix' | 'ImplementationSpecific'];

export interface Spec {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly paths?: readonly PathSpec[];
  /** With a tls block. */
  readonly tls?: true;
  /** Its name, where a host has more than one. */
  readonly name?: string;
  /** The Service behind it: `app` if absent. */
  readonly service?: string;
}

const everything: readonly PathSpec[] = [['/', 'Prefix']];

/** An Ingress of one host. */
export function ingress(
  host: string,
  { annotations = {}, paths = everything, tls, name = host, service = 'app' }: Spec,
): KubernetesJson {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: name.replaceAll(/[^a-z0-9.-]/g, 'x'),
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
      ),
    },
    spec: {
      ...(tls === true ? { tls: [{ hosts: [host], secretName: 'pki' }] } : {}),
      rules: [
        {
          host,
          http: {
            paths: paths.map(([path, pathType]) => ({
              path,
              pathType,
              backend: { service: { name: service, port: { number: 80 } } },
            })),
          },
        },
      ],
    },
  };
}

/** A Service with the port that every Ingress here names. */
export function service(name: string): KubernetesJson {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }] } };
}

/** Those with a certificate of their own. */
export const tlsHosts: readonly string[] = [
  '*.wild.test',
  ...[
    'permanent308',
    'tls',
    'some-tls',
    'some-open',
    'keep',
    'plain',
    'cors-list',
    'on',
    'optional',
    'noca',
    'off',
    'cn',
  ].map((name) => `${name}.test`),
];

/** The hosts of the test, each for something of its own. `files` are those of the Secrets. */
export function manifests(files: Readonly<Record<string, string>>): KubernetesJson[] {
  const secret = (name: string, keys: readonly string[]): KubernetesJson => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    stringData: Object.fromEntries(keys.map((key) => [key, files[key]])),
  });
  const guarded = (more: Readonly<Record<string, string>>): Spec => ({
    annotations: { 'auth-tls-secret': 'default/pki', ...more },
    tls: true,
  });
  const cors = (more: Readonly<Record<string, string>>): Spec => ({
    annotations: { 'enable-cors': 'true', ...more },
  });
  return [
    secret('pki', ['tls.crt', 'tls.key', 'ca.crt']),
    secret('users', ['auth']),
    ingress('paths.test', {
      paths: [
        ['/exact', 'Exact'],
        ['/exact/slash/', 'Exact'],
        ['/prefix', 'Prefix'],
        ['/prefix/deeper', 'Prefix'],
        ['/prefix/exact', 'Exact'],
        ['/pslash/', 'Prefix'],
        ['/raw', 'ImplementationSpecific'],
        ['/rslash/', 'ImplementationSpecific'],
        ['/both', 'Exact'],
        ['/both', 'Prefix'],
      ],
    }),
    ingress('all.test', {}),
    ingress('*.wild.test', { tls: true }),
    ingress('name.wild.test', { paths: [['/only', 'Prefix']] }),
    ingress('regex.test', {
      annotations: { 'use-regex': 'true' },
      paths: [
        ['/foo/[a-z]+', 'ImplementationSpecific'],
        [String.raw`/id/\d+$`, 'ImplementationSpecific'],
        ['/plain', 'Prefix'],
        ['/Caps', 'Exact'],
      ],
    }),
    ingress('regex.test', { name: 'beside', paths: [['/beside', 'Exact']] }),
    ingress('rewrite.test', {
      annotations: { 'rewrite-target': '/$2', 'x-forwarded-prefix': '/api' },
      paths: [['/api(/|$)(.*)', 'ImplementationSpecific']],
    }),
    ingress('rewrite.test', {
      name: 'rewrite2',
      annotations: { 'rewrite-target': '/y/$1/z' },
      paths: [['/x/([^/]+)', 'ImplementationSpecific']],
    }),
    ingress('root.test', { annotations: { 'app-root': '/app' } }),
    ingress('permanent.test', { annotations: { 'permanent-redirect': 'https://new.test/there' } }),
    ingress('permanent308.test', {
      annotations: { 'permanent-redirect': 'https://new.test$request_uri', 'permanent-redirect-code': '308' },
      tls: true,
    }),
    ingress('temporal.test', { annotations: { 'temporal-redirect': '$scheme://new.test$uri' } }),
    ingress('bare.test', { annotations: { 'from-to-www-redirect': 'true' } }),
    ingress('www.dressed.test', { annotations: { 'from-to-www-redirect': 'true' } }),
    ingress('alias.test', { annotations: { 'server-alias': 'alias1.test,alias2.test' } }),
    ingress('vhost.test', { annotations: { 'upstream-vhost': 'inner.example' } }),
    ingress('tls.test', { tls: true }),
    ingress('keep.test', { tls: true, annotations: { 'preserve-trailing-slash': 'true' } }),
    ingress('plain.test', { tls: true, annotations: { 'ssl-redirect': 'false' } }),
    ingress('some.test', { paths: [['/only', 'Prefix']] }),
    ingress('some-tls.test', { tls: true, paths: [['/only', 'Prefix']] }),
    ingress('some-open.test', {
      tls: true,
      annotations: { 'ssl-redirect': 'false' },
      paths: [['/only', 'Prefix']],
    }),
    ingress('some-forced.test', {
      annotations: { 'force-ssl-redirect': 'true' },
      paths: [['/only', 'Prefix']],
    }),
    ingress('force.test', { annotations: { 'force-ssl-redirect': 'true' } }),
    ingress('allowed.test', { annotations: { 'whitelist-source-range': '10.0.0.0/8, 127.0.0.0/8' } }),
    ingress('refused.test', { annotations: { 'whitelist-source-range': '10.0.0.0/8' } }),
    ingress('denied.test', { annotations: { 'denylist-source-range': '127.0.0.1/32' } }),
    ingress('users.test', {
      annotations: { 'auth-type': 'basic', 'auth-secret': 'users', 'auth-realm': 'Members' },
    }),
    ingress('any.test', {
      annotations: {
        'auth-type': 'basic',
        'auth-secret': 'users',
        'auth-realm': 'Members',
        satisfy: 'any',
        'whitelist-source-range': '127.0.0.0/8',
      },
    }),
    ingress('small.test', { annotations: { 'proxy-body-size': '1k' } }),
    ingress('unlimited.test', { annotations: { 'proxy-body-size': '0' } }),
    ingress('cors.test', cors({})),
    ingress('cors-list.test', {
      ...cors({
        'cors-allow-origin': 'https://one.example, https://*.two.example',
        'cors-allow-methods': 'GET, POST',
        'cors-allow-headers': 'X-One,X-Two',
        'cors-expose-headers': 'X-Three',
        'cors-max-age': '60',
        'cors-allow-credentials': 'false',
      }),
      tls: true,
    }),
    ingress('on.test', guarded({ 'auth-tls-pass-certificate-to-upstream': 'true' })),
    ingress('optional.test', guarded({ 'auth-tls-verify-client': 'optional' })),
    ingress('noca.test', guarded({ 'auth-tls-verify-client': 'optional_no_ca' })),
    ingress('off.test', guarded({ 'auth-tls-verify-client': 'off' })),
    ingress('cn.test', guarded({ 'auth-tls-match-cn': 'CN=roshankhatri' })),
  ];
}
