import { Type, type Static } from 'typebox';
import { strict } from './value.ts';

function cryptoNames(description: string) {
  return Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 64, description });
}

/** What becomes of a ClientHello whose server name leads to no host. */
export const StandIn = Type.Union([Type.Literal('default'), Type.Literal('refuse')], {
  description:
    'default: the default host stands in. refuse: the alert unrecognized_name, before any handshake.',
});
export type StandIn = Static<typeof StandIn>;

/** TLS settings that all hosts have in common. */
export const Tls = Type.Object(
  {
    minVersion: Type.Optional(Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')])),
    sessionTickets: Type.Optional(
      Type.Boolean({
        description: 'Let clients resume their sessions, for ten minutes and at the same host. Default true.',
      }),
    ),
    preset: Type.Optional(
      Type.Union([Type.Literal('modern'), Type.Literal('intermediate')], {
        description: 'Versions and cipher suites after Mozilla. Default intermediate.',
      }),
    ),
    ciphers: Type.Optional(
      cryptoNames(
        "Cipher suites by OpenSSL's names, TLS 1.3 and 1.2 alike, best first; in place of the preset's.",
      ),
    ),
    groups: Type.Optional(cryptoNames('Groups for the key exchange, best first.')),
    signatureAlgorithms: Type.Optional(
      cryptoNames('Signature algorithms, of our certificates and of those that clients send.'),
    ),
    defaultHost: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'One of the names of the host that stands in where no server name leads to one. Without: the strictest host.',
      }),
    ),
    unknownServerName: Type.Optional(StandIn),
    absentServerName: Type.Optional(StandIn),
  },
  strict,
);
