import { Type } from 'typebox';
import { CookieName } from './canary.ts';
import { RoutePath, strict } from './value.ts';

const seconds = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647, description }));

/** Keeps a client at one endpoint, by a cookie. */
export const Affinity = Type.Object(
  {
    cookie: Type.Optional(CookieName),
    mode: Type.Optional(
      Type.Union([Type.Literal('balanced'), Type.Literal('persistent')], {
        description:
          'balanced (default): clients are spread anew, as few as can be, when endpoints come and go. persistent: a client stays for as long as its endpoint is there.',
      }),
    ),
    canary: Type.Optional(
      Type.Union([Type.Literal('sticky'), Type.Literal('legacy')], {
        description:
          'sticky (default): who was served by a canary stays with it. legacy: canaries give out no cookie.',
      }),
    ),
    path: Type.Optional(RoutePath),
    domain: Type.Optional(Type.String({ pattern: '^[0-9A-Za-z.-]{1,253}$' })),
    sameSite: Type.Optional(
      Type.Union([Type.Literal('None'), Type.Literal('Lax'), Type.Literal('Strict')], {
        description: 'Default: not said.',
      }),
    ),
    conditionalSameSiteNone: Type.Optional(
      Type.Boolean({ description: 'Leave SameSite=None out for browsers that misread it.' }),
    ),
    partitioned: Type.Optional(
      Type.Boolean({ description: 'A cookie for each site that embeds this one (CHIPS). Default false.' }),
    ),
    secure: Type.Optional(Type.Boolean({ description: 'Default: where the client came by https.' })),
    maxAge: seconds('Max-Age, in seconds. Default: for the session.'),
    expires: seconds('Expires, so many seconds from now. Default: not said.'),
    changeOnFailure: Type.Optional(
      Type.Boolean({ description: 'Move the client for good when its endpoint fails it. Default false.' }),
    ),
  },
  strict,
);
