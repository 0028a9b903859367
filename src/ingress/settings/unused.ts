import { different, refused } from '../annotations/annotation.ts';
import { flag, snippet } from '../annotations/value-types.ts';
import { setting, type Setting } from './setting.ts';

/** Any value: what it says has no meaning here. */
const anything = snippet;

const machinery = `access-log-params access-log-path http-access-log-path stream-access-log-path error-log-path error-log-level
enable-access-log-for-default-backend log-format-upstream log-format-stream log-format-escape-none log-format-escape-json
enable-multi-accept max-worker-open-files map-hash-bucket-size nginx-status-ipv4-whitelist nginx-status-ipv6-whitelist
server-name-hash-max-size server-name-hash-bucket-size proxy-headers-hash-max-size proxy-headers-hash-bucket-size reuse-port
variables-hash-bucket-size variables-hash-max-size worker-cpu-affinity worker-serial-reloads upstream-keepalive-time
lua-shared-dicts http2-max-field-size http2-max-header-size http2-max-requests http2-max-concurrent-streams
proxy-stream-timeout proxy-stream-next-upstream-timeout proxy-stream-next-upstream-tries proxy-stream-responses
disable-ipv6 disable-ipv6-dns enable-syslog syslog-host syslog-port default-type debug-connections enable-aio-write
gzip-level gzip-types gzip-min-length gzip-disable brotli-level brotli-min-length brotli-types proxy-ssl-location-only
allow-snippet-annotations annotations-risk-level annotation-value-word-blocklist allow-cross-namespace-resources
strict-validate-path-type no-tls-redirect-locations retry-non-idempotent`;

const tracing = `enable-opentracing opentracing-operation-name opentracing-location-operation-name opentracing-trust-incoming-span
zipkin-collector-host zipkin-collector-port zipkin-service-name zipkin-sample-rate
jaeger-collector-host jaeger-collector-port jaeger-endpoint jaeger-service-name jaeger-propagation-format jaeger-sampler-type
jaeger-sampler-param jaeger-sampler-host jaeger-sampler-port jaeger-trace-context-header-name jaeger-debug-header
jaeger-baggage-header jaeger-trace-baggage-header-prefix
datadog-collector-host datadog-collector-port datadog-service-name datadog-environment datadog-operation-name-override
datadog-priority-sampling datadog-sample-rate
enable-opentelemetry opentelemetry-operation-name opentelemetry-trust-incoming-span opentelemetry-config otlp-collector-host otlp-collector-port
otel-max-queuesize otel-schedule-delay-millis otel-max-export-batch-size otel-service-name otel-sampler otel-sampler-ratio
otel-sampler-parent-based`;

const names = (list: string): string[] => list.trim().split(/\s+/);

const differently: Readonly<Record<string, string>> = {
  'allow-snippet-annotations': 'Snippets are never taken.',
  'annotations-risk-level': 'Snippets are never taken; nothing else is held back by its risk.',
  'annotation-value-word-blocklist': 'Values are data here, and can break out of nothing.',
  'allow-cross-namespace-resources': 'It is a flag here: --allow-cross-namespace-secrets.',
  'strict-validate-path-type': 'Every path is taken for what its type says.',
  'no-tls-redirect-locations': 'Only `ssl-redirect` says which paths are not redirected.',
  'retry-non-idempotent': 'Write `non_idempotent` in `proxy-next-upstream`.',
};

const raw = {
  restricts: true,
  state: refused(
    'it is raw nginx configuration, and there is no nginx here: say what it does in other keys, or in our own configuration.',
  ),
} as const;

const waf = {
  restricts: true,
  state: refused('there is no ModSecurity here: put a web application firewall in front.'),
} as const;

/** Keys that do nothing here, or must not be passed over in silence. */
export const unused: readonly Setting[] = [
  ...names(machinery).map((name) =>
    setting(name, anything, "Of nginx's machinery.", {
      state: different(differently[name] ?? 'It is a part of nginx that is not here, or needs no setting.'),
    }),
  ),
  ...names(tracing).map((name) =>
    setting(name, anything, 'Of tracing.', {
      state: refused('not supported in this version: traces are not sent.'),
    }),
  ),
  ...['main-snippet', 'http-snippet', 'server-snippet', 'stream-snippet', 'location-snippet'].map((name) =>
    setting(name, snippet, 'Raw nginx configuration.', raw),
  ),
  setting('plugins', snippet, 'Plugins in Lua.', {
    restricts: true,
    state: refused('plugins in Lua are not run here.'),
  }),
  setting('enable-modsecurity', flag, 'Judge requests by ModSecurity.', { default: 'false', ...waf }),
  setting('enable-owasp-modsecurity-crs', flag, "With OWASP's rules.", { default: 'false', ...waf }),
  setting('modsecurity-snippet', snippet, "ModSecurity's own configuration.", waf),
  ...['use-gzip', 'enable-brotli'].map((name) =>
    setting(name, flag, 'Compress answers.', {
      default: 'false',
      state: refused(
        'answers are not compressed: what is secret in them could be guessed from their length.',
      ),
    }),
  ),
  ...['use-geoip', 'use-geoip2'].map((name) =>
    setting(name, flag, 'Look up where addresses are.', {
      default: 'false',
      state: refused('not supported in this version.'),
    }),
  ),
  setting('geoip2-autoreload-in-minutes', anything, 'How often its data are read again.', {
    default: '0',
    state: different('There is no such data here.'),
  }),
  ...['bind-address', 'bind-address-ipv6'].map((name) =>
    setting(name, anything, 'The addresses to listen on.', {
      state: refused('it is a flag here: --address.'),
    }),
  ),
  ...[
    'memcached-host',
    'memcached-port',
    'memcached-connect-timeout',
    'memcached-max-idle-timeout',
    'memcached-pool-size',
    'status-code',
  ].map((name) =>
    setting(`global-rate-limit-${name}`, anything, 'Of rate limits that replicas share.', {
      state: refused('not supported in this version: limits are counted in each process.'),
    }),
  ),
  setting('skip-access-log-urls', anything, 'Paths whose requests are not logged.', {
    state: refused(
      'not supported in this version: `enable-access-log` of an Ingress says whether it is logged.',
    ),
  }),
  setting('allow-backend-server-header', flag, "Pass the upstream's Server header on.", {
    default: 'false',
    state: different('It is passed on.'),
  }),
];
