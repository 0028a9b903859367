import { normaliseHostName } from '../../snapshot/host-name.ts';
import type { Secret } from '../object.ts';
import { pairOf, trustOf } from '../secret-material.ts';
import { annotation, different, type Parsed, refused, type ValueType } from './annotation.ts';
import { cipherSuites } from './cipher-suites.ts';
import { type Context, family, type RouteDraft } from './family.ts';
import { onOff, qualifiedName, whole } from './value-types.ts';

const protocols = ['HTTP', 'HTTPS', 'AUTO_HTTP', 'GRPC', 'GRPCS', 'FCGI'] as const;
const protocolType: ValueType<(typeof protocols)[number]> = {
  name: protocols.join(' | '),
  parse(written) {
    const found = protocols.find((one) => one === written.toUpperCase());
    return found === undefined ? { problem: `is not ${protocols.join(', ')}` } : { value: found };
  },
};

const protocol = annotation('backend-protocol', protocolType, 'How the backend is spoken to.', {
  default: 'HTTP',
  restricts: true,
  state: different('Only HTTP and HTTPS; the paths of an Ingress with another one answer 503.'),
});
const ingress = { scope: 'ingress' } as const;
const secret = annotation(
  'proxy-ssl-secret',
  qualifiedName,
  'Our certificate for the backend (`tls.crt`, `tls.key`), and the CA to verify it by (`ca.crt`).',
  { ...ingress, risk: 'Medium', restricts: true },
);
const verify = annotation('proxy-ssl-verify', onOff, "Verify the backend's certificate.", {
  ...ingress,
  default: 'off',
  restricts: true,
  state: different('`on` without a `ca.crt` verifies by the CAs of the system.'),
});
const nameType: ValueType<string> = {
  name: 'host',
  parse(written): Parsed<string> {
    return normaliseHostName(written) === null ? { problem: 'is no host name' } : { value: written };
  },
};
const name = annotation('proxy-ssl-name', nameType, 'The name to verify, and to ask for.', {
  ...ingress,
  risk: 'High',
  restricts: true,
  state: different("Without it, the endpoint's own address is verified."),
});

const serverName = annotation('proxy-ssl-server-name', onOff, 'Name the server in the handshake.', {
  ...ingress,
  default: 'off',
});

type Version = 'TLSv1.2' | 'TLSv1.3';

/** TLS versions with blanks between them; those before 1.2 are left out. */
const versionsType: ValueType<{ readonly minVersion: Version; readonly maxVersion: Version }> = {
  name: 'TLS versions',
  parse(written) {
    const names = written.split(/\s+/);
    const [older, newer] = [names.includes('TLSv1.2'), names.includes('TLSv1.3')];
    if (!older && !newer) return { problem: 'has neither TLSv1.2 nor TLSv1.3' };
    return {
      value: { minVersion: older ? 'TLSv1.2' : 'TLSv1.3', maxVersion: newer ? 'TLSv1.3' : 'TLSv1.2' },
    };
  },
};
const versions = annotation('proxy-ssl-protocols', versionsType, 'TLS versions towards the backend.', {
  ...ingress,
  default: 'TLSv1.2 TLSv1.3',
  state: different(
    'Without it TLS 1.2 and 1.3, where ingress-nginx has 1.2 alone; older ones are never spoken.',
  ),
});

/** `DEFAULT` is the runtime's list. */
const suitesType: ValueType<readonly string[] | 'DEFAULT'> = {
  name: cipherSuites.name,
  parse: (written) => (written === 'DEFAULT' ? { value: written } : cipherSuites.parse(written)),
};
const suites = annotation('proxy-ssl-ciphers', suitesType, 'Cipher suites of TLS 1.2 towards the backend.', {
  ...ingress,
  risk: 'Medium',
  default: 'DEFAULT',
  state: different('Only suites with ECDHE, by their names; the others of a list are left out.'),
});

/** What is said in the handshake with a backend, and asked of it. */
function tlsOf(route: RouteDraft, context: Context): NonNullable<RouteDraft['upstream']['tls']> | null {
  const { values } = context;
  const called = values.get(secret);
  const found = called === null ? null : context.secret(secret, called);
  if (called !== null && found === null) {
    route.deny('the Secret of proxy-ssl-secret cannot be used');
    return null;
  }
  const server = values.get(name);
  const named = values.get(suites);
  const tls = {
    ...values.get(versions),
    ...(named === null || named === 'DEFAULT' ? {} : { ciphers: [...named] }),
    ...(server === null ? {} : { serverName: server }),
    sendServerName: values.get(serverName) === true,
    ...(found === null ? {} : ownCertificate(found, route, context)),
  };
  if (values.get(verify) !== true) {
    return { ...tls, dangerouslySkipVerification: true };
  }
  if (found === null) return tls;
  const trust = trustOf(found);
  if ('fault' in trust) {
    context.errorElsewhere(secret, `the Secret ${trust.fault}: the paths of this Ingress answer 503`);
    route.deny('the backend cannot be verified');
    return null;
  }
  return { ...tls, ca: context.file(found, 'ca.crt', trust.ca) };
}

function ownCertificate(found: Secret, route: RouteDraft, context: Context): { cert?: string; key?: string } {
  if (!found.data.has('tls.crt') && !found.data.has('tls.key')) return {};
  const pair = pairOf(found);
  if ('fault' in pair) {
    context.errorElsewhere(secret, `the Secret ${pair.fault}: the paths of this Ingress answer 503`);
    route.deny('there is no certificate to show to the backend');
    return {};
  }
  return { cert: context.file(found, 'tls.crt', pair.cert), key: context.file(found, 'tls.key', pair.key) };
}

export const backendTls = family({
  name: 'backend-tls',
  title: 'Backend TLS',
  annotations: [
    protocol,
    secret,
    verify,
    name,
    annotation('proxy-ssl-verify-depth', whole, 'Intermediates allowed there.', {
      ...ingress,
      default: '1',
      state: refused(
        'Node has no such setting for connections it opens: chains are as long as OpenSSL allows.',
      ),
    }),
    suites,
    versions,
    serverName,
  ],
  applyRoute(values, route, context) {
    const spoken = values.get(protocol) ?? 'HTTP';
    if (spoken === 'HTTP') {
      if (values.has(secret)) context.warn(secret, 'has no effect: backend-protocol is not HTTPS');
      return;
    }
    if (spoken !== 'HTTPS') {
      context.error(protocol, `${spoken} is not spoken here: the paths of this Ingress answer 503`);
      route.deny(`${spoken} is not spoken`);
      return;
    }
    const tls = tlsOf(route, context);
    if (tls !== null) route.upstream.tls = tls;
    if (tls?.dangerouslySkipVerification === true) {
      context.warn(
        protocol,
        'whoever answers is taken for the backend: write proxy-ssl-verify: "on" with a ca.crt',
      );
    }
  },
});
