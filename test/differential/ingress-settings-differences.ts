import type { Difference } from './difference.ts';

/** Settings that are played together. */
export type World = 'forwarded' | 'full' | 'untrusted' | 'nobody' | 'proxy' | 'general' | 'headers';

const verified = (cases = /./): Difference => ({
  cases,
  fact: 'header ssl-client-verify',
  outcome: /^forwarded /,
  nginx: null,
  ours: /^NONE$/,
  reason: 'every upstream is told who the client is, if only that it is nobody (rule 4)',
});

const slash = (cases: RegExp): Difference => ({
  cases,
  fact: 'answer location',
  nginx: /^https:\/\/[a-z.]+$/,
  ours: /^https:\/\/[a-z.]+\/$/,
  reason: 'the slash of / itself stays: a URL without it is the same one',
});

const schemeHeaders = ['x-forwarded-proto', 'x-forwarded-scheme', 'x-scheme'].map((name) => `header ${name}`);

/** A scheme that is told, and not believed. */
const unbelieved = (cases: RegExp, nginx: RegExp, reason: string): Difference[] =>
  schemeHeaders.map((fact) => ({ cases, fact, outcome: /^forwarded /, nginx, ours: /^https?$/, reason }));

const keptHost =
  'the upstream, and who is redirected, gets the name whose rules the request was held against: X-Forwarded-Host could name a host that asks for more';
const nameless = (cases: RegExp): Difference[] => [
  {
    cases,
    fact: 'header host',
    outcome: /^forwarded /,
    nginx: /^o/,
    ours: /^[a-z]+\.test$/,
    reason: keptHost,
  },
];
const leads = (cases: RegExp): Difference => ({
  cases,
  fact: 'answer location',
  nginx: /^https:\/\/o/,
  ours: /^https:\/\/(?:tls|forced)\.test\//,
  reason: keptHost,
});

const noScheme = 'a scheme is http or https';
/** Where X-Forwarded-* are believed of the client of the test. */
const trusted: readonly Difference[] = [
  verified(),
  ...unbelieved(/^GET https:.*Proto: gopher/, /^gopher$/, noScheme),
  ...unbelieved(/^GET http:\/\/open.*Proto: gopher/, /^gopher$/, noScheme),
  {
    cases: /^GET http:\/\/(?:tls|forced).*Proto: gopher/,
    fact: 'outcome',
    nginx: /^forwarded 200$/,
    ours: /^308/,
    reason: `${noScheme}: what is neither counts as not told`,
  },
  ...nameless(/Host: o/),
  leads(/^GET http:\/\/(?:tls|forced)\.test\/a\?b, X-Forwarded-Host: o/),
  {
    cases: /Host: outer\.test:8443, middle\.test/,
    fact: 'header x-forwarded-host',
    outcome: /^forwarded /,
    nginx: /^outer\.test:8443$/,
    ours: /^middle\.test$/,
    reason: 'the nearest proxy wrote the last one; what stands before it, anybody may have written',
  },
  {
    cases: /^GET http:\/\/[a-z.]+\/a\?b, X-Forwarded-Proto: https$/,
    fact: 'header x-forwarded-port',
    outcome: /^forwarded /,
    nginx: /^\d+$/,
    ours: /^443$/,
    reason: 'the port goes with the scheme that is told',
  },
  {
    cases: /^GET https:\/\/open\.test\/a\?b, X-Forwarded-Proto: http$/,
    fact: 'header x-forwarded-port',
    outcome: /^forwarded /,
    nginx: /^443$/,
    ours: /^\d+$/,
    reason: 'the port goes with the scheme that is told',
  },
];

const stranger = 'nothing is believed of who is no trusted proxy; nginx asks that for addresses alone';
const told = 'X-Forwarded-Proto: (?:https|gopher)|X-Forwarded-For: \\S+, X-Forwarded-Proto';
const untrusted: readonly Difference[] = [
  verified(),
  ...unbelieved(new RegExp(`^GET http://open.*(?:${told})`), /^(?:https|gopher)$/, stranger),
  ...unbelieved(/^GET https:.*Proto: gopher/, /^gopher$/, stranger),
  ...unbelieved(/^GET https:\/\/open.*Proto: http$/, /^http$/, stranger),
  {
    cases: new RegExp(`^GET http://(?:tls|forced).*(?:${told})`),
    fact: 'outcome',
    nginx: /^forwarded 200$/,
    ours: /^308/,
    reason: stranger,
  },
  {
    cases: /^GET https:\/\/(?:tls|forced).*Proto: http$/,
    fact: 'outcome',
    nginx: /^308/,
    ours: /^forwarded 200$/,
    reason: stranger,
  },
  ...nameless(/Host: o/),
  leads(/^GET http:\/\/(?:tls|forced)\.test\/a\?b, X-Forwarded-Host: o/),
  {
    cases: /Host: o/,
    fact: 'header x-forwarded-host',
    outcome: /^forwarded /,
    nginx: /^o/,
    ours: /^[a-z]+\.test$/,
    reason: stranger,
  },
  {
    cases: /Port: 8443|^GET http:.*Port: 443/,
    fact: 'header x-forwarded-port',
    outcome: /^forwarded /,
    nginx: /^(?:8443|443)$/,
    ours: /^\d+$/,
    reason: stranger,
  },
];

const destination = 'the port in a PROXY header counts for nothing: what TLS is, ends here';
const proxy: readonly Difference[] = [
  verified(),
  ...unbelieved(/open\.test.* 443/, /^https$/, destination),
  {
    cases: /open\.test\/, PROXY TCP[46] \S+ \S+ 5000|near\.test\/, PROXY TCP4 203/,
    fact: 'header x-forwarded-port',
    nginx: /^(?:80|443)$/,
    ours: /^\d+$/,
    reason: destination,
  },
  {
    cases: /open\.test\/, PROXY UNKNOWN/,
    fact: 'header x-forwarded-port',
    nginx: null,
    ours: /^\d+$/,
    reason: destination,
  },
  {
    cases: /(?:tls|forced)\.test.* 443/,
    fact: 'outcome',
    nginx: /^forwarded 200$/,
    ours: /^308/,
    reason: destination,
  },
  slash(/(?:tls|forced)\.test\/, PROXY (?:.* 80|UNKNOWN)/),
];

const asked =
  'a service of error pages is asked with what it needs, not with the credentials and cookies of the request';
const paged = 'https?://(?:open|tls)\\.test/a, X-Say-Status: (?:404|503)|https://own.*Status: (?:404|503)';
const early = {
  fact: 'outcome',
  nginx: /^413 /,
  ours: /^30[18] /,
  reason: 'a redirect looks at no body',
};

/** Where we differ from ingress-nginx's nginx under these settings on purpose, and why. */
export const settingDifferences: Readonly<Record<World, readonly Difference[]>> = {
  forwarded: trusted,
  full: trusted,
  untrusted,
  nobody: [verified()],
  proxy,
  general: [
    verified(new RegExp(`^(?!.*(?:${paged}))`)),
    ...['x-say-status', 'accept'].map((header) => ({
      cases: new RegExp(paged),
      fact: `header ${header}`,
      outcome: /^forwarded /,
      nginx: /./,
      ours: null,
      reason: asked,
    })),
    slash(/http:\/\/own\.test\/, (?:X_Under|Content-Length: (?!2049))/),
    { cases: /http:\/\/own\.test\/, Content-Length: 2049/, ...early },
  ],
  headers: [
    verified(),
    slash(
      /http:\/\/(?:tls|own)\.test\/, (?:X_Under|Content-Length: (?!2049))|http:\/\/tls\.test\/, Content-Length/,
    ),
    { cases: /http:\/\/own\.test\/, Content-Length: 2049/, ...early },
    {
      cases: /(?:http:\/\/open|https:\/\/[a-z]+)\.test\/, X_Under/,
      fact: 'header x_under',
      nginx: /^1$/,
      ours: null,
      reason: 'headers with an underscore are always dropped: backends take it for a hyphen',
    },
  ],
};
