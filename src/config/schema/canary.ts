import { Type } from 'typebox';
import { strict } from './value.ts';

const count = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000, description }));

/** The name of a cookie: RFC 6265 §4.1.1. */
export const CookieName = Type.String({
  pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$",
  examples: ['canary'],
});

/** Another upstream for some of a route's requests. */
export const Canary = Type.Object(
  {
    upstream: Type.String({ minLength: 1 }),
    header: Type.Optional(
      Type.String({
        pattern: '^[0-9A-Za-z-]{1,128}$',
        description: 'A request header: `always` leads here, `never` does not.',
      }),
    ),
    headerValue: Type.Optional(
      Type.String({ minLength: 1, maxLength: 1024, description: 'This value of the header in their place.' }),
    ),
    headerPattern: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Values of the header that lead here: a regular expression (RE2), found anywhere in it.',
      }),
    ),
    cookie: Type.Optional(CookieName),
    weight: count('The share of all other requests, of `weightTotal`. Default 0.'),
    weightTotal: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Default 100.' })),
  },
  strict,
);
