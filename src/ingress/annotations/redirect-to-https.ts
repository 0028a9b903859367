import { annotation, different, refused } from './annotation.ts';
import { family } from './family.ts';
import { flag } from './value-types.ts';

const sslRedirect = annotation(
  'ssl-redirect',
  flag,
  'Redirect plain HTTP to HTTPS (308) where the host has TLS.',
  {
    default: 'true',
    state: different(
      'A host that asks for client certificates is never served over plain HTTP, whatever this says: ingress-nginx would let everyone in there.',
    ),
  },
);

const force = annotation('force-ssl-redirect', flag, 'The same where TLS is ended before us.', {
  risk: 'Medium',
  default: 'false',
});

const notYet = refused('it is not translated yet.');

export const redirectToHttps = family({
  name: 'redirect-to-https',
  title: 'Redirect to HTTPS',
  annotations: [
    sslRedirect,
    force,
    annotation('preserve-trailing-slash', flag, 'Keep the trailing slash in that redirect.', {
      risk: 'Medium',
      default: 'false',
      state: different('It is always kept.'),
    }),
    annotation('use-port-in-redirects', flag, 'Put the port into absolute redirects.', {
      default: 'false',
      state: notYet,
    }),
    annotation('relative-redirects', flag, 'Send redirects with a path only.', {
      default: 'false',
      state: notYet,
    }),
  ],
  applyRoute(values, route, context) {
    const redirects = values.get(force) === true || (route.host.hasTls && (values.get(sslRedirect) ?? true));
    if (redirects) return;
    if ((route.host.config.clientAuth?.mode ?? 'off') === 'off') route.config.plainHttp = 'serve';
    else if (values.get(sslRedirect) === false) {
      context.warn(
        sslRedirect,
        'plain HTTP is redirected all the same: no client certificate could be asked for there',
      );
    }
  },
});
