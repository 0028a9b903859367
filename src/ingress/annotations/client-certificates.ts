import type { HostConfig } from '../../config/schema.ts';
import { quote } from '../../config/text.ts';
import { compileRegex } from '../../policy/regex.ts';
import type { Ingress } from '../object.ts';
import { trustOf } from '../secret-material.ts';
import { annotation, different, ownPrefix, type ValueType } from './annotation.ts';
import { type Context, family, type HostDraft } from './family.ts';
import { suggestPolicy } from './match-cn.ts';
import { flag, oneOf, qualifiedName, text, whole } from './value-types.ts';
import type { AnnotationValues } from './values.ts';

/** The most that the native configuration takes. */
const maxDepth = 10;

/** nginx searches for the pattern anywhere in the subject; ours are anchored, hence what stands around it. */
const matchCnType: ValueType<{ readonly pattern: string; readonly regex: string }> = {
  name: 'CN=regex',
  parse(pattern) {
    if (!pattern.startsWith('CN='))
      return { problem: 'does not start with CN=, which ingress-nginx asks for' };
    // By itself first: `CN=a)|(?:.*` is no expression, but would be one in brackets, and let everyone in.
    const alone = compileRegex(pattern);
    if ('problem' in alone) return { problem: `is ${alone.problem}` };
    const regex = `(?s).*(?:${pattern}).*`;
    const whole = compileRegex(regex);
    return 'problem' in whole ? { problem: `is ${whole.problem}` } : { value: { pattern, regex } };
  },
};

const secret = annotation(
  'auth-tls-secret',
  qualifiedName,
  'The Secret with `ca.crt`, the CAs that client certificates are verified against, and perhaps `ca.crl`.',
  {
    risk: 'Medium',
    restricts: true,
    state: different(
      'A Secret that lacks `ca.crt` refuses the host (403); ingress-nginx turns the check off.',
    ),
  },
);

const verifyClient = annotation(
  'auth-tls-verify-client',
  oneOf('on', 'off', 'optional', 'optional_no_ca'),
  'Whether a certificate is asked for, and what becomes of those without a good one.',
  { risk: 'Medium', default: 'on' },
);

const verifyDepth = annotation(
  'auth-tls-verify-depth',
  whole,
  'Intermediate certificates allowed in a chain.',
  {
    default: '1',
    state: different(`More than ${maxDepth} counts as ${maxDepth}.`),
  },
);

const errorPage = annotation(
  'auth-tls-error-page',
  text,
  'Where clients without a good certificate are sent, by 302.',
  {
    risk: 'High',
    state: different('Such clients are answered 400, as without it; nobody is sent anywhere yet.'),
  },
);

const passCertificate = annotation(
  'auth-tls-pass-certificate-to-upstream',
  flag,
  'Send the certificate to the upstream, as `ssl-client-cert`.',
  { default: 'false' },
);

const matchCn = annotation(
  'auth-tls-match-cn',
  matchCnType,
  'A regular expression that the subject must hold, else 403.',
  {
    risk: 'High',
    restricts: true,
    state: different(
      'RE2 instead of PCRE, so without look-around. A value that cannot be used refuses the paths, where ingress-nginx ignores it. With optional_no_ca only certificates that were verified can match.',
    ),
  },
);

const crl = annotation(
  'crl',
  oneOf('required', 'if-present', 'ignore'),
  "What to do about the Secret's `ca.crl`: refuse the host without one, use it if there is one, or leave it aside.",
  { prefix: ownPrefix, default: 'if-present', restricts: true, state: { is: 'ours' } },
);

const modes = { on: 'require', off: 'off', optional: 'optional', optional_no_ca: 'optional_no_ca' } as const;

/** Everything about client certificates on one host that two Ingresses must agree on. */
interface Demand {
  readonly clientAuth: NonNullable<HostConfig['clientAuth']>;
  readonly policy: HostConfig['policy'];
}

/** What a host demands, and the Ingresses that demand something else of it. */
const demands = new WeakMap<HostDraft, { readonly demand: Demand; readonly dissent: Set<Ingress> }>();

function applyHost(values: AnnotationValues, host: HostDraft, context: Context): void {
  if (!values.has(secret)) {
    for (const idle of [verifyClient, matchCn, verifyDepth, errorPage, passCertificate, crl]) {
      if (!values.has(idle)) continue;
      // Whoever wrote it believes that certificates are checked; ingress-nginx lets everyone in.
      const off = values.get(verifyClient) === 'off' || (idle !== verifyClient && idle !== matchCn);
      if (off) context.warn(idle, 'has no effect without auth-tls-secret');
      else {
        context.error(idle, 'has no effect without auth-tls-secret: the host answers 403');
        host.refuse('client certificates are wanted, but auth-tls-secret is missing');
      }
    }
    return;
  }
  const demand = demandOf(values, context);
  if (typeof demand === 'string') {
    host.refuse(demand);
    return;
  }
  const earlier = demands.get(host);
  if (earlier === undefined) {
    demands.set(host, { demand, dissent: new Set() });
    host.config.clientAuth = demand.clientAuth;
    if (demand.policy !== undefined) host.config.policy = demand.policy;
    if (values.get(passCertificate) === true) host.config.identityHeaders = { certificate: true };
  } else if (JSON.stringify(earlier.demand) !== JSON.stringify(demand)) {
    earlier.dissent.add(context.ingress);
    context.error(
      secret,
      `differs from another Ingress of ${quote(host.name ?? '*')}, which comes first: the paths of this one answer 503`,
    );
  }
}

/** The reason to refuse the host, where it cannot be said who may come in. */
function demandOf(values: AnnotationValues, context: Context): Demand | string {
  const name = values.get(secret);
  if (name === null) return 'auth-tls-secret cannot be read';
  const found = context.secret(secret, name);
  if (found === null) return 'the Secret of auth-tls-secret cannot be used';
  const trust = trustOf(found);
  if ('fault' in trust) {
    const message = `the Secret ${trust.fault}: the host answers 403, nobody can be verified`;
    context.errorElsewhere(secret, message);
    return message;
  }
  const crlMode = values.get(crl) ?? 'if-present';
  if (crlMode === 'required' && trust.crl === null) {
    const message = 'the Secret has no ca.crl, which mtls-ingress.io/crl asks for: the host answers 403';
    context.errorElsewhere(secret, message);
    return message;
  }
  if (crlMode === 'ignore' && trust.crl !== null) {
    context.warn(crl, 'revoked certificates are let in: the ca.crl of the Secret is left aside');
  }
  const depth = values.get(verifyDepth) ?? 1;
  const cn = values.get(matchCn);
  if (cn !== null) {
    context.warn(
      matchCn,
      `matches anywhere in the subject, not the CN alone (${quote(`O=CN=${cn.pattern.slice(3)}`)} would do): write ${suggestPolicy(cn.pattern)}`,
    );
  } else if (values.has(matchCn)) return 'auth-tls-match-cn cannot be read';
  if (values.has(errorPage)) context.warn(errorPage, 'clients are answered 400 and not sent there yet');
  const mode = modes[values.get(verifyClient) ?? 'on'];
  if (mode === 'off') {
    if (cn === null) return { clientAuth: { mode }, policy: undefined };
    const message = 'cannot hold while auth-tls-verify-client is off: the host answers 403';
    context.error(matchCn, message);
    return message;
  }
  return {
    clientAuth: {
      mode,
      ca: context.file(found, 'ca.crt', trust.ca),
      ...(trust.crl === null || crlMode === 'ignore'
        ? {}
        : { crl: context.file(found, 'ca.crl', trust.crl) }),
      verifyDepth: Math.min(Math.max(depth, 1), maxDepth),
    },
    policy: cn === null ? undefined : { subject: { regex: cn.regex } },
  };
}

export const clientCertificates = family({
  name: 'client-certificates',
  title: 'Client certificates',
  annotations: [secret, verifyClient, verifyDepth, errorPage, passCertificate, matchCn, crl],
  applyHost,
  applyRoute(_values, route) {
    if (demands.get(route.host)?.dissent.has(route.ingress) === true) {
      route.deny('its Ingress asks for other client certificates than the host');
    }
  },
});
