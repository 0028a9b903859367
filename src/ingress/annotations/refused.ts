import { type Annotation, annotation, refused, type State } from './annotation.ts';
import { type Family, family } from './family.ts';
import { flag, objectName, snippet, text } from './value-types.ts';

/**
 * Annotations that are not done here, and why. They are told of wherever they stand, and those that keep anyone out make their
 * paths answer 503: nothing is served with a check left out.
 */
const never = (why: string): State => refused(why);
const ingress = 'ingress' as const;

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
const noTracing = never('not supported in this version: traces are not sent.');

export const refusedFamilies: readonly Family[] = Object.freeze([
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
  group('tracing', 'Tracing', [
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
