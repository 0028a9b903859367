import t from 'tap';
import { nginxPrefix, ownPrefix } from '../../src/ingress/annotations/annotation.ts';
import { annotationsByKey, families } from '../../src/ingress/annotations/registry.ts';

/** Every annotation that ingress-nginx knows, by the group of its table of risks, and then the older names. */
const names = `
server-alias allowlist-source-range backend-protocol auth-realm auth-secret auth-secret-type auth-type
canary canary-by-cookie canary-by-header canary-by-header-pattern canary-by-header-value canary-weight canary-weight-total
auth-tls-error-page auth-tls-match-cn auth-tls-pass-certificate-to-upstream auth-tls-secret auth-tls-verify-client
auth-tls-verify-depth client-body-buffer-size configuration-snippet connection-proxy-header
cors-allow-credentials cors-allow-headers cors-allow-methods cors-allow-origin cors-expose-headers cors-max-age enable-cors
custom-http-errors custom-headers default-backend denylist-source-range disable-proxy-intercept-errors enable-global-auth
auth-always-set-cookie auth-cache-duration auth-cache-key auth-keepalive auth-keepalive-requests auth-keepalive-share-vars
auth-keepalive-timeout auth-method auth-proxy-set-headers auth-request-redirect auth-response-headers auth-signin
auth-signin-redirect-param auth-snippet auth-url fastcgi-index fastcgi-params-configmap http2-push-preload load-balance
enable-access-log enable-rewrite-log mirror-host mirror-request-body mirror-target
enable-modsecurity enable-owasp-core-rules modsecurity-snippet modsecurity-transaction-id
enable-opentelemetry opentelemetry-operation-name opentelemetry-trust-incoming-span
proxy-body-size proxy-buffer-size proxy-buffering proxy-buffers-number proxy-busy-buffers-size proxy-connect-timeout
proxy-cookie-domain proxy-cookie-path proxy-http-version proxy-max-temp-file-size proxy-next-upstream
proxy-next-upstream-timeout proxy-next-upstream-tries proxy-read-timeout proxy-redirect-from proxy-redirect-to
proxy-request-buffering proxy-send-timeout
proxy-ssl-ciphers proxy-ssl-name proxy-ssl-protocols proxy-ssl-secret proxy-ssl-server-name proxy-ssl-verify
proxy-ssl-verify-depth limit-allowlist limit-burst-multiplier limit-connections limit-rate limit-rate-after limit-rpm limit-rps
from-to-www-redirect permanent-redirect permanent-redirect-code temporal-redirect temporal-redirect-code relative-redirects
app-root force-ssl-redirect preserve-trailing-slash rewrite-target ssl-redirect use-regex
ssl-ciphers ssl-prefer-server-ciphers ssl-passthrough satisfy server-snippet service-upstream
affinity affinity-canary-behavior affinity-mode session-cookie-change-on-failure session-cookie-conditional-samesite-none
session-cookie-domain session-cookie-expires session-cookie-max-age session-cookie-name session-cookie-partitioned
session-cookie-path session-cookie-samesite session-cookie-secure stream-snippet
upstream-hash-by upstream-hash-by-subset upstream-hash-by-subset-size upstream-vhost use-port-in-redirects x-forwarded-prefix
whitelist-source-range limit-whitelist`
  .trim()
  .split(/\s+/);

void t.test('every annotation of ingress-nginx is declared, and no other under its prefix', async (t) => {
  const declared = [...annotationsByKey.keys()].filter((key) => key.startsWith(nginxPrefix));
  t.same(declared.sort(), names.map((name) => nginxPrefix + name).sort());
  t.equal(new Set(names).size, names.length);
});

void t.test('each is declared once, with a sentence and a default that its own parser takes', async (t) => {
  const all = families.flatMap(({ annotations }) => annotations);
  t.equal(new Set(all.map(({ prefix, name }) => prefix + name)).size, all.length);
  for (const { name, type, doc, state, ...annotation } of all) {
    t.match(doc, /^[A-Z].*\.$/, name);
    if (annotation.default !== null) t.hasProp(type.parse(annotation.default), 'value', name);
    if (state.is === 'different') t.match(state.how, /\.$/, name);
    if (state.is === 'refused') t.match(state.why, /\.$/, name);
    t.equal(annotation.prefix === ownPrefix, state.is === 'ours', name);
  }
});
