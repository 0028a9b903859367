import { Type, type Static } from 'typebox';
import { RouteClientAuth } from './client-auth.ts';
import { Access, RateLimit } from './access.ts';
import { Affinity } from './affinity.ts';
import { Canary } from './canary.ts';
import { ErrorPages } from './error-pages.ts';
import { BufferRequest, ConnectionHeader, Mirror, ResponseHeadLimit } from './exchange.ts';
import { IdentityHeaders } from './identity-headers.ts';
import { Cors } from './cors.ts';
import { PolicyRef } from './policy.ts';
import { Enforcement } from './report.ts';
import { Retry } from './retry.ts';
import { RequestEdits, ResponseEdits } from './response.ts';
import { Duration, RoutePath, Size, strict } from './value.ts';

const RouteTimeouts = Type.Object(
  { connect: Type.Optional(Duration), send: Type.Optional(Duration), read: Type.Optional(Duration) },
  strict,
);

/** How a path is matched: as Kubernetes and nginx do. */
export const PathType = Type.Union(
  [Type.Literal('Exact'), Type.Literal('Prefix'), Type.Literal('RawPrefix'), Type.Literal('Regex')],
  {
    description:
      'Exact; Prefix by path segment; RawPrefix by character, as a plain nginx location; Regex from the start of the path, whatever the letter case, as `location ~* "^…"`.',
  },
);
export type PathType = Static<typeof PathType>;

/** What becomes of a request over plain HTTP. */
export const PlainHttp = Type.Union([Type.Literal('redirect'), Type.Literal('serve')], {
  description:
    'redirect: to https, 308. serve: forwarded as it is; only where no client certificate is asked for. So is what a trusted proxy tells was plain HTTP.',
});
export type PlainHttp = Static<typeof PlainHttp>;

const targetWords =
  'with {scheme}, {host}, {authority}, {path}, {query}, {args} (without its ?), {uri} and, of a Regex path, {0} to {9}';

const Redirect = Type.Object(
  {
    to: Type.String({
      minLength: 1,
      description: `A URL or path, ${targetWords}.`,
      examples: ['https://{host}{uri}'],
    }),
    status: Type.Optional(
      Type.Integer({ minimum: 300, maximum: 308, description: 'The status. Default 302.' }),
    ),
    stripTrailingSlash: Type.Optional(
      Type.Boolean({
        description:
          'Leave out a slash at the end of {path} and {uri}, that of / alone too, where no arguments follow: as ingress-nginx between a name and its www.',
      }),
    ),
  },
  strict,
);

const Respond = Type.Object(
  {
    status: Type.Integer({ minimum: 200, maximum: 599 }),
    body: Type.Optional(
      Type.String({ maxLength: 65_536, description: 'Text to answer with, in place of the usual page.' }),
    ),
    contentType: Type.Optional(
      Type.String({ pattern: '^[ -~]+$', maxLength: 256, description: 'Default text/plain; charset=utf-8.' }),
    ),
  },
  strict,
);

/** A path of a host, and what happens there. */
export const Route = Type.Object(
  {
    path: RoutePath,
    pathType: Type.Optional(PathType),
    upstream: Type.Optional(
      Type.String({ minLength: 1, description: 'Where requests go. In its place: redirect, or respond.' }),
    ),
    redirect: Type.Optional(Redirect),
    respond: Type.Optional(Respond),
    rewrite: Type.Optional(
      Type.String({
        pattern: '^[/{]',
        description: `The path for the upstream, ${targetWords}. A \`?\` at its end leaves the request's arguments out.`,
        examples: ['/{2}'],
      }),
    ),
    upstreamHost: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._:\\[\\]-]{1,253}$',
        description: "The Host that the upstream gets in place of the client's.",
      }),
    ),
    plainHttp: Type.Optional(PlainHttp),
    httpsRedirect: Type.Optional(
      Type.Object(
        {
          status: Type.Optional(
            Type.Integer({ minimum: 300, maximum: 308, description: 'The status. Default 308.' }),
          ),
          stripTrailingSlash: Type.Optional(
            Type.Boolean({ description: 'Leave out a slash at the end of the path, as ingress-nginx does.' }),
          ),
        },
        strict,
      ),
    ),
    clientAuth: Type.Optional(RouteClientAuth),
    policy: Type.Optional(PolicyRef),
    mode: Type.Optional(Enforcement),
    policyMode: Type.Optional(Enforcement),
    access: Type.Optional(Access),
    rateLimit: Type.Optional(RateLimit),
    cors: Type.Optional(Cors),
    errorPages: Type.Optional(ErrorPages),
    response: Type.Optional(ResponseEdits),
    request: Type.Optional(RequestEdits),
    ingress: Type.Optional(
      Type.Object(
        {
          namespace: Type.String({ maxLength: 63 }),
          name: Type.String({ maxLength: 253 }),
          service: Type.String({ maxLength: 63 }),
        },
        {
          additionalProperties: false,
          description:
            "The Ingress and the Service that the route stands for: labels of metrics under ingress-nginx's names.",
        },
      ),
    ),
    accessLog: Type.Optional(
      Type.Boolean({ description: 'Log the requests of this route. Default: as the program does.' }),
    ),
    identityHeaders: Type.Optional(IdentityHeaders),
    canary: Type.Optional(
      Type.Array(Canary, {
        maxItems: 16,
        description:
          'Other upstreams for some of the requests, by header, else by cookie, else by weight. The first that is asked for.',
      }),
    ),
    affinity: Type.Optional(Affinity),
    retry: Type.Optional(Retry),
    bufferRequest: Type.Optional(BufferRequest),
    responseHeadLimit: Type.Optional(ResponseHeadLimit),
    connectionHeader: Type.Optional(ConnectionHeader),
    mirror: Type.Optional(Mirror),
    timeouts: Type.Optional(RouteTimeouts),
    bodyLimit: Type.Optional(Size),
    upgrade: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Upgrade protocols to tunnel. Others are ignored; h2c never passes.',
      }),
    ),
  },
  strict,
);
