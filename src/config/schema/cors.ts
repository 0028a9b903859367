import { Type, type Static } from 'typebox';
import { Duration, strict } from './value.ts';

/** RFC 9110 §5.6.2; bounded, for it ends in every preflight's answer. */
const Token = Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", maxLength: 128 });

const tokens = (description: string) => Type.Array(Token, { maxItems: 100, description });

/** Scheme, host and perhaps port: the Origin that a browser sends (RFC 6454 §6.1), and `*.` for one label of it. */
const Origin = Type.String({
  pattern:
    '^(\\*|[A-Za-z][A-Za-z0-9+.-]*://(\\[[0-9A-Fa-f:.]+\\]|(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*)(:[0-9]{1,5})?)$',
  maxLength: 512,
  examples: ['https://a.example', 'https://*.b.example:8443', '*'],
});

/** Which pages of other origins may use a route (Fetch standard, "CORS protocol"). */
export const Cors = Type.Object(
  {
    origins: Type.Optional(
      Type.Array(Origin, {
        minItems: 1,
        maxItems: 1000,
        description:
          'Origins whose pages may read answers; `*.` stands for one label, `*` for everyone. Default `*`.',
      }),
    ),
    methods: Type.Optional(
      tokens('Methods that they may use. Default GET, PUT, POST, DELETE, PATCH, OPTIONS.'),
    ),
    headers: Type.Optional(
      tokens("Headers that they may send. Default: ingress-nginx's, DNT to Authorization."),
    ),
    exposeHeaders: Type.Optional(tokens('Headers of answers that they may read, beside the usual ones.')),
    credentials: Type.Optional(
      Type.Boolean({
        description:
          'Whether browsers send cookies and client certificates along. Default true; never with the origin `*`.',
      }),
    ),
    /** How long a browser remembers a preflight. */
    maxAge: Type.Optional(Duration),
  },
  strict,
);
export type CorsConfig = Static<typeof Cors>;
