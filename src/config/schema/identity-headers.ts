import { Type, type Static } from 'typebox';
import { record, strict } from './value.ts';

export const Dialect = Type.Union([
  Type.Literal('nginx'),
  Type.Literal('xfcc'),
  Type.Literal('rfc9440'),
  Type.Literal('traefik'),
  Type.Literal('haproxy'),
]);
export type Dialect = Static<typeof Dialect>;

/** What backends are told of the client. */
export const IdentityHeaders = Type.Object(
  {
    dialects: Type.Optional(Type.Array(Dialect)),
    certificate: Type.Optional(
      Type.Boolean({ description: 'Also send the certificate itself (ssl-client-cert and its like).' }),
    ),
    templates: Type.Optional(
      record(
        {
          pattern: "^[!#$%&'*+.^`|~0-9A-Za-z-]{1,128}$",
          description: 'a header name: letters, digits and -, and no _, which backends take for -',
        },
        Type.String({ description: 'Text with {cn}, {ou}, {subject}, {serial}, {fingerprint}, …' }),
      ),
    ),
  },
  strict,
);
