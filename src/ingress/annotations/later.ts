import { type Annotation, annotation, refused, type State } from './annotation.ts';
import { type Family, family } from './family.ts';
import {
  flag,
  host,
  integer,
  objectName,
  oneOf,
  onOff,
  qualifiedName,
  seconds,
  snippet,
  text,
  texts,
  whole,
} from './value-types.ts';

/**
 * Annotations whose effect is still to come. They are told of wherever they stand, and those that keep anyone out make their paths
 * answer 503: nothing is served with a check left out. A family moves out of here whole.
 */
const notYet: State = refused('it is not translated yet.');
const medium = { risk: 'Medium', state: notYet } as const;
const low = { state: notYet } as const;
const guard = { risk: 'Medium', restricts: true, state: notYet } as const;
const never = (why: string): State => refused(why);
const ingress = 'ingress' as const;

/** Its Ingresses claim nothing for themselves. */
export const canary = annotation('canary', flag, 'This Ingress is an alternative for paths of another.', {
  scope: ingress,
  default: 'false',
  state: refused('canaries get no requests yet: all go to the main Ingress.'),
});

function group(name: string, title: string, annotations: readonly Annotation[]): Family {
  return family({ name, title, annotations });
}

const rawConfiguration = never(
  'it is raw nginx configuration, and there is no nginx here: say what it does in other annotations, or in our own configuration.',
);
const critical = { risk: 'Critical', restricts: true, state: rawConfiguration } as const;
const noWaf = {
  scope: ingress,
  restricts: true,
  state: never('there is no ModSecurity here: put a web application firewall in front.'),
} as const;
const noFastCgi = {
  risk: 'Medium',
  state: never('FastCGI is not spoken here: put a web server in front of the application.'),
} as const;
const noTracing = never('OpenTelemetry is not sent yet.');

export const later: readonly Family[] = Object.freeze([
  group('server-tls', 'Server TLS', [
    annotation('ssl-passthrough', flag, 'Pass TLS on to the backend, unread.', {
      default: 'false',
      scope: ingress,
      restricts: true,
      state: never('a connection that is not ended here cannot be judged here.'),
    }),
    annotation('ssl-ciphers', text, 'Cipher suites of the host.', {
      scope: ingress,
      state: never('cipher suites are set for all hosts: `tls.ciphers` in our own configuration.'),
    }),
    annotation('ssl-prefer-server-ciphers', flag, "The server's order of cipher suites counts.", {
      scope: ingress,
      default: 'true',
      state: never('the order is always ours.'),
    }),
    annotation('http2-push-preload', flag, 'Push what Link headers name.', {
      default: 'false',
      state: never('clients no longer take HTTP/2 push.'),
    }),
  ]),
  group('backend-tls', 'Backend TLS', [
    annotation(
      'backend-protocol',
      oneOf('HTTP', 'HTTPS', 'AUTO_HTTP', 'GRPC', 'GRPCS', 'FCGI'),
      'How the backend is spoken to.',
      { default: 'HTTP', ...low, restricts: true },
    ),
    annotation(
      'proxy-ssl-secret',
      qualifiedName,
      'Our certificate for the backend, and the CA to verify it.',
      { scope: ingress, ...guard },
    ),
    annotation('proxy-ssl-verify', onOff, "Verify the backend's certificate.", {
      scope: ingress,
      default: 'off',
      ...guard,
      risk: 'Low',
    }),
    annotation('proxy-ssl-verify-depth', whole, 'Intermediates allowed there.', {
      scope: ingress,
      default: '1',
      ...low,
    }),
    annotation('proxy-ssl-ciphers', text, 'Cipher suites towards the backend.', {
      scope: ingress,
      default: 'DEFAULT',
      ...medium,
    }),
    annotation('proxy-ssl-protocols', text, 'TLS versions towards the backend.', {
      scope: ingress,
      default: 'TLSv1.2',
      ...low,
    }),
    annotation('proxy-ssl-name', host, 'The name to verify, and to ask for.', {
      scope: ingress,
      ...guard,
      risk: 'High',
    }),
    annotation('proxy-ssl-server-name', onOff, 'Name the server in the handshake.', {
      scope: ingress,
      default: 'off',
      ...low,
    }),
  ]),
  group('rewrite', 'Routing and rewrites', [
    annotation('x-forwarded-prefix', text, 'The value of X-Forwarded-Prefix.', medium),
    annotation('custom-http-errors', texts, 'Statuses that the default backend answers instead.', low),
    annotation('disable-proxy-intercept-errors', flag, 'Leave error answers as they are.', {
      default: 'false',
      ...low,
    }),
  ]),
  group('balancing', 'Load balancing', [
    annotation('load-balance', oneOf('round_robin', 'ewma'), 'How endpoints are chosen.', {
      default: 'round_robin',
      ...low,
    }),
    annotation('upstream-hash-by', text, 'Choose by the hash of this.', { risk: 'High', state: notYet }),
    annotation('upstream-hash-by-subset', flag, 'By hash among groups of endpoints.', {
      default: 'false',
      ...low,
    }),
    annotation('upstream-hash-by-subset-size', whole, 'Endpoints in a group.', { default: '3', ...low }),
  ]),
  group('affinity', 'Session affinity', [
    annotation('affinity', oneOf('cookie'), 'Keep a client at its endpoint.', { scope: ingress, ...low }),
    annotation(
      'affinity-mode',
      oneOf('balanced', 'persistent'),
      'Whether clients are spread anew over more endpoints.',
      { scope: ingress, default: 'balanced', ...medium },
    ),
    annotation(
      'affinity-canary-behavior',
      oneOf('sticky', 'legacy'),
      'Whether that holds for canaries too.',
      { scope: ingress, default: 'sticky', ...low },
    ),
    annotation('session-cookie-name', text, "The cookie's name.", {
      scope: ingress,
      default: 'INGRESSCOOKIE',
      ...medium,
    }),
    annotation('session-cookie-path', text, "The cookie's Path.", { scope: ingress, ...medium }),
    annotation('session-cookie-domain', text, "The cookie's Domain.", { scope: ingress, ...medium }),
    annotation('session-cookie-samesite', oneOf('None', 'Lax', 'Strict'), "The cookie's SameSite.", {
      scope: ingress,
      ...low,
    }),
    annotation('session-cookie-secure', flag, "The cookie's Secure, whatever the scheme.", {
      scope: ingress,
      ...low,
    }),
    annotation('session-cookie-max-age', integer, "The cookie's Max-Age, in seconds.", {
      scope: ingress,
      ...medium,
    }),
    annotation('session-cookie-expires', integer, "The cookie's Expires, in seconds from now.", {
      scope: ingress,
      ...medium,
    }),
    annotation('session-cookie-change-on-failure', flag, 'A new cookie when the endpoint fails.', {
      scope: ingress,
      default: 'false',
      ...low,
    }),
    annotation(
      'session-cookie-conditional-samesite-none',
      flag,
      'Leave SameSite=None out for browsers that do not know it.',
      { scope: ingress, default: 'false', ...low },
    ),
    annotation('session-cookie-partitioned', flag, "The cookie's Partitioned.", {
      scope: ingress,
      default: 'false',
      ...low,
    }),
  ]),
  group('canary', 'Canary', [
    canary,
    annotation('canary-by-header', text, 'The header that decides.', { scope: ingress, ...medium }),
    annotation('canary-by-header-value', text, 'Its value that means yes.', { scope: ingress, ...medium }),
    annotation('canary-by-header-pattern', text, 'A regular expression for such values.', {
      scope: ingress,
      ...medium,
    }),
    annotation('canary-by-cookie', text, 'The cookie that decides.', { scope: ingress, ...medium }),
    annotation('canary-weight', whole, 'The share of requests.', { scope: ingress, default: '0', ...low }),
    annotation('canary-weight-total', whole, 'What the share is of.', {
      scope: ingress,
      default: '100',
      ...low,
    }),
  ]),
  group('external-auth', 'External authentication', [
    annotation('auth-url', text, 'Whom to ask whether a request may pass.', { ...guard, risk: 'High' }),
    annotation('auth-method', text, 'The method to ask by.', low),
    annotation('auth-signin', text, 'Where to send those who may not (302).', {
      risk: 'High',
      state: notYet,
    }),
    annotation('auth-signin-redirect-param', text, 'The parameter that says where they came from.', {
      default: 'rd',
      ...medium,
    }),
    annotation('auth-response-headers', texts, 'Headers of the answer that the upstream gets.', medium),
    annotation('auth-proxy-set-headers', objectName, 'A ConfigMap of headers to ask with.', medium),
    annotation('auth-request-redirect', text, 'The value of X-Auth-Request-Redirect.', medium),
    annotation('auth-cache-key', text, 'What answers are remembered by.', medium),
    annotation('auth-cache-duration', text, 'How long they are, by status.', {
      default: '200 202 401 5m',
      ...medium,
    }),
    annotation('auth-keepalive', whole, 'Idle connections kept.', { default: '0', ...low }),
    annotation('auth-keepalive-requests', whole, 'Requests on one connection.', { default: '1000', ...low }),
    annotation('auth-keepalive-timeout', seconds, 'How long they are kept.', { default: '60', ...low }),
    annotation('auth-keepalive-share-vars', flag, "Share nginx's variables with the request.", {
      default: 'false',
      ...low,
    }),
    annotation('auth-always-set-cookie', flag, 'Pass Set-Cookie on with every status.', {
      default: 'false',
      ...low,
    }),
    annotation('auth-snippet', snippet, 'Raw nginx configuration for the request.', critical),
    annotation('enable-global-auth', flag, 'Whether the global one holds here.', { default: 'true', ...low }),
  ]),
  group('cors', 'CORS', [
    annotation('enable-cors', flag, 'Answer preflights, and say who may read answers.', {
      scope: ingress,
      default: 'false',
      ...low,
    }),
    annotation('cors-allow-origin', texts, 'Origins that may.', { scope: ingress, default: '*', ...medium }),
    annotation('cors-allow-methods', texts, 'Methods that may be used.', {
      scope: ingress,
      default: 'GET, PUT, POST, DELETE, PATCH, OPTIONS',
      ...medium,
    }),
    annotation('cors-allow-headers', texts, 'Headers that may be sent.', {
      scope: ingress,
      default:
        'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization',
      ...medium,
    }),
    annotation('cors-expose-headers', texts, 'Headers that may be read.', { scope: ingress, ...medium }),
    annotation('cors-allow-credentials', flag, 'Whether cookies are sent.', {
      scope: ingress,
      default: 'true',
      ...low,
    }),
    annotation('cors-max-age', whole, 'Seconds that a preflight is remembered.', {
      scope: ingress,
      default: '1728000',
      ...low,
    }),
  ]),
  group('headers-and-logs', 'Headers, logs and tracing', [
    annotation('custom-headers', objectName, 'A ConfigMap of headers for answers.', medium),
    annotation('enable-access-log', flag, 'Log its requests.', { default: 'true', ...low }),
    annotation('enable-rewrite-log', flag, "Log nginx's rewriting.", {
      default: 'false',
      state: never('there is no rewriting of nginx to log.'),
    }),
    annotation('enable-opentelemetry', flag, 'Trace its requests.', { default: 'false', state: noTracing }),
    annotation('opentelemetry-trust-incoming-span', flag, "Go on with the client's trace.", {
      default: 'true',
      state: noTracing,
    }),
    annotation('opentelemetry-operation-name', text, 'What a span is called.', {
      risk: 'Medium',
      state: noTracing,
    }),
  ]),
  group('mirror', 'Mirror', [
    annotation('mirror-target', text, 'Where a copy of each request goes.', {
      scope: ingress,
      risk: 'High',
      state: notYet,
    }),
    annotation('mirror-host', text, "The copy's Host.", { scope: ingress, risk: 'High', state: notYet }),
    annotation('mirror-request-body', onOff, 'With its body.', { scope: ingress, default: 'on', ...low }),
  ]),
  group('refused', 'Never', [
    annotation('configuration-snippet', snippet, 'Raw nginx configuration of the location.', critical),
    annotation('server-snippet', snippet, 'Raw nginx configuration of the server.', {
      scope: ingress,
      ...critical,
    }),
    annotation('stream-snippet', snippet, 'Raw nginx configuration beside HTTP.', {
      scope: ingress,
      ...critical,
    }),
    annotation('enable-modsecurity', flag, 'Judge requests by ModSecurity.', { default: 'false', ...noWaf }),
    annotation('enable-owasp-core-rules', flag, "With OWASP's rules.", { default: 'false', ...noWaf }),
    annotation('modsecurity-transaction-id', text, 'Its transaction id.', {
      ...noWaf,
      risk: 'High',
      restricts: false,
    }),
    annotation('modsecurity-snippet', snippet, 'Its raw configuration.', { ...noWaf, risk: 'Critical' }),
    annotation('fastcgi-index', text, "FastCGI's index.", noFastCgi),
    annotation('fastcgi-params-configmap', objectName, "FastCGI's parameters.", noFastCgi),
  ]),
]);
