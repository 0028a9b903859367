import { httpRedirectCode } from '../settings/answers.ts';
import { annotation, different } from './annotation.ts';
import { family } from './family.ts';
import { flag } from './value-types.ts';

const sslRedirect = annotation(
  'ssl-redirect',
  flag,
  'Redirect plain HTTP to HTTPS (308) where the host has TLS.',
  {
    default: 'true',
    global: true,
    state: different(
      'A host that asks for client certificates is never served over plain HTTP, whatever this says: ingress-nginx would let everyone in there.',
    ),
  },
);

const force = annotation('force-ssl-redirect', flag, 'The same where TLS is ended before us.', {
  risk: 'Medium',
  default: 'false',
  global: true,
});

const preserve = annotation(
  'preserve-trailing-slash',
  flag,
  'Keep a slash at the end of the path in that redirect, which is left out otherwise.',
  {
    risk: 'Medium',
    default: 'false',
    global: true,
    state: different('That of `/` alone is always kept.'),
  },
);

export const redirectToHttps = family({
  name: 'redirect-to-https',
  title: 'Redirect to HTTPS',
  annotations: [
    sslRedirect,
    force,
    preserve,
    annotation('use-port-in-redirects', flag, 'Put the port into absolute redirects.', {
      default: 'false',
      global: true,
      state: different(
        'The redirect to HTTPS has the port of the listener where that is not 443, others never have one.',
      ),
    }),
    annotation('relative-redirects', flag, 'Send redirects with a path only.', {
      default: 'false',
      global: true,
      state: different('Redirects always have scheme and host.'),
    }),
  ],
  applyRoute(values, route, context) {
    const asksForCertificates = (route.host.config.clientAuth?.mode ?? 'off') !== 'off';
    const redirects =
      context.value(force) === true || (route.host.hasTls && (context.value(sslRedirect) ?? true));
    if (redirects || asksForCertificates) {
      const code = context.setting(httpRedirectCode);
      route.config.httpsRedirect = {
        ...(code === null ? {} : { status: code }),
        stripTrailingSlash: context.value(preserve) !== true,
      };
    }
    if (redirects) return;
    if (!asksForCertificates) route.config.plainHttp = 'serve';
    else if (values.get(sslRedirect) === false) {
      context.warn(
        sslRedirect,
        'plain HTTP is redirected all the same: no client certificate could be asked for there',
      );
    }
  },
});
