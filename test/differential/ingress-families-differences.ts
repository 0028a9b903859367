import type { Difference } from './difference.ts';

const stays = 'the cookies of a service that lets in reach the client whatever the upstream answers';
const asked =
  'a service of error pages is asked with what it needs, not with the credentials and cookies of the request';

/** Where we differ from ingress-nginx's nginx in these families on purpose, and why. */
export const familyDifferences: readonly Difference[] = [
  {
    cases: /^(?!.*errors\.test.*X-Say-Status: (?:404|503))/,
    fact: 'header ssl-client-verify',
    outcome: /^forwarded /,
    nginx: null,
    ours: /^NONE$/,
    reason: 'every upstream is told who the client is, if only that it is nobody (rule 4)',
  },
  {
    cases: /(?:auth|signin)\.test.*X-Judge: (?:404|500|302)/,
    fact: 'connection',
    nginx: /^close$/,
    ours: /^open$/,
    reason: 'an error of another service says nothing about this connection',
  },
  {
    cases: /signin\.test.*X-Judge: 401/,
    fact: 'answer location',
    nginx: /[?&](?:rd|back)=https?:\/\/[a-z.-]+%2F/,
    ours: /[?&](?:rd|back)=https?%3A%2F%2F[a-z.-]+%2F/,
    reason: 'the whole of an argument is escaped; nginx leaves scheme and host as they are',
  },
  {
    cases: /auth\.test.*X-Judge: 200, X-Say-Status: 404/,
    fact: 'answer set-cookie',
    nginx: null,
    ours: /^session=1$/,
    reason: stays,
  },
  {
    cases: /auth\.test.*X-Judge: 200, X-Say-Status: 500/,
    fact: 'answer set-cookie',
    nginx: /^own=1$/,
    ours: /^session=1$/,
    reason: `${stays}; here it is the last of two`,
  },
  {
    cases: /plain-signin\.test.*X-Judge: 20/,
    fact: 'header x-user',
    nginx: /,null\]$/,
    ours: /,"0"\]$/,
    reason: 'a method that takes a body says that it has none (RFC 9110 §8.6), of a question too',
  },
  {
    cases: /^GET \S+errors\.test\/x\?y, X-Say-Status: (?:404|503)/,
    fact: 'request',
    nginx: /^GET \/\?y /,
    ours: /^GET \/ /,
    reason: `${asked}: the arguments are in X-Original-URI`,
  },
  ...['x-say-status', 'accept'].map((header) => ({
    cases: new RegExp(
      `^${header === 'accept' ? 'GET' : '(?:GET|HEAD)'} \\S+errors\\.test.*X-Say-Status: (?:404|503)`,
    ),
    fact: `header ${header}`,
    nginx: /./,
    ours: null,
    reason: asked,
  })),
];
