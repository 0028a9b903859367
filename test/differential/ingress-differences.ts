import type { Difference } from './difference.ts';

const forwarded = /^forwarded 200$/;

/** Only our own host asks for certificates; the others are told that there is none. */
const guarded = String.raw`(?:on|optional|noca|off|cn)\.test`;

/** A header of an answer to a cross-origin request that nginx adds and we do not. */
const untold = (cases: RegExp, header: string, reason: string): Difference => ({
  cases,
  fact: `answer access-control-${header}`,
  outcome: forwarded,
  nginx: /./,
  ours: null,
  reason,
});

const onPreflights = 'what only a preflight asks for is said to preflights alone';
/** An origin that the host lets read its answers. */
const granted =
  /^GET https:\/\/cors(?:\.test|-list\.test\/, origin https:\/\/(?:one\.example|a\.two\.example)$)/;

/** Where we differ from ingress-nginx's nginx on purpose, and why. */
export const ingressDifferences: readonly Difference[] = [
  {
    cases: new RegExp(`://(?!${guarded})`),
    fact: 'header ssl-client-verify',
    outcome: forwarded,
    nginx: null,
    ours: /^NONE$/,
    reason: 'every upstream is told who the client is, if only that it is nobody (rule 4)',
  },
  {
    cases: /(?:optional|noca|off|cn)\.test.*forged headers$/,
    fact: 'header ssl-client-cert',
    outcome: forwarded,
    nginx: /^x$/,
    ours: null,
    reason: 'nobody but us says who a client is (rule 4); nginx passes it on unless it sets it itself',
  },
  {
    cases:
      /^GET https?:\/\/\S+(?:%65xact|%2e%2e\/exact|prefix\/\.\.\/exact|\/\/exact|\/\.\/exact|prefix\/\/a|unknown\/\.\.\/raw|a\/\.\/b|a%2fb|a\|b|\.\.\/id\/3|test\/\/foo\/abc)$/,
    fact: 'request',
    outcome: forwarded,
    nginx: /^GET /,
    ours: /^GET /,
    reason:
      'routes, policies and the upstream read one normalised path; nginx matches by one reading and sends the other',
  },
  {
    cases: /^GET https?:\/\/paths\.test\/prefix%2Fa$/,
    fact: 'outcome',
    nginx: forwarded,
    ours: /^404 Not Found$/,
    reason: 'a slash that is encoded separates nothing: the upstream would read it as one segment',
  },
  {
    cases: /rewrite\.test\/api\/a%2Fb$/,
    fact: 'request',
    nginx: /^GET \/a\/b /,
    ours: /^GET \/a%2Fb /,
    reason: 'the same slash stays encoded in what a rewrite puts together',
  },
  {
    cases: /rewrite\.test\/api\/\?$/,
    fact: 'request',
    nginx: /^GET \/ /,
    ours: /^GET \/\? /,
    reason: 'a query stays as it came, though there is nothing in it',
  },
  {
    cases: /^POST https?:\/\/small\.test\/, 0 bytes$/,
    fact: 'header content-length',
    nginx: null,
    ours: /^0$/,
    reason: 'a method that takes a body says that it has none (RFC 9110 §8.6)',
  },
  {
    cases: /^GET http:\/\/(?:x\.wild|tls|force)\.test\/$/,
    fact: 'answer location',
    nginx: /^https:\/\/[a-z.]+$/,
    ours: /^https:\/\/[a-z.]+\/$/,
    reason: 'the slash of / itself stays: a URL without it is the same one',
  },
  {
    cases: /^GET http:\/\/(?:tls|force)\.test\/a\?b=\/$/,
    fact: 'answer location',
    nginx: /\?b=$/,
    ours: /\?b=\/$/,
    reason: 'a slash at the end of the arguments is data; the Lua of ingress-nginx takes it off',
  },
  {
    cases: /temporal\.test\/a%20b$/,
    fact: 'answer location',
    nginx: / /,
    ours: /%20/,
    reason: 'a Location with a blank in it is none (RFC 9110 §10.2.2)',
  },
  {
    cases: /^GET http:\/\/cn\.test\//,
    fact: 'outcome',
    nginx: /^403 client certificate unauthorized$/,
    ours: /^308 Permanent Redirect$/,
    reason: 'nobody can show a certificate over plain HTTP; match-cn comes before the redirect there (#9250)',
  },
  {
    cases: /cn\.test\/a, other certificate/,
    fact: 'answer strict-transport-security',
    nginx: null,
    ours: /^max-age/,
    reason: 'every answer of a host over TLS says so; match-cn answers before a location is found',
  },
  untold(granted, 'allow-methods', onPreflights),
  untold(granted, 'allow-headers', onPreflights),
  untold(granted, 'max-age', onPreflights),
  untold(
    /^GET https:\/\/cors\.test/,
    'allow-credentials',
    'with an origin of * no browser heeds it (Fetch §3.2.5): an empty promise',
  ),
  {
    cases: /^OPTIONS https:\/\/cors\.test\/, preflight, origin (?:https?:|null, sent)/,
    fact: 'answer access-control-allow-credentials',
    nginx: /^true$/,
    ours: null,
    reason: 'the same of preflights',
  },
  {
    cases:
      /^OPTIONS https:\/\/cors-list\.test\/, preflight, origin (?:https:\/\/two\.example|http:|https:\/\/one\.example\.evil|null, sent)/,
    fact: 'outcome',
    nginx: forwarded,
    ours: /^204$/,
    reason: 'a preflight is answered without the upstream, if only by saying nothing',
  },
  {
    cases: /^OPTIONS https:\/\/cors\.test\/, preflight, no origin$/,
    fact: 'outcome',
    nginx: /^204$/,
    ours: forwarded,
    reason: 'without an Origin it is no preflight',
  },
];
