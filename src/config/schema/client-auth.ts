import { Type, type Static } from 'typebox';
import { Duration, FilePath, strict } from './value.ts';

export const ClientAuthMode = Type.Union([
  Type.Literal('require'),
  Type.Literal('optional'),
  Type.Literal('optional_no_ca'),
  Type.Literal('off'),
]);
export type ClientAuthMode = Static<typeof ClientAuthMode>;

export const OcspMode = Type.Union([Type.Literal('off'), Type.Literal('soft'), Type.Literal('hard')], {
  description:
    'Whether OCSP responders are asked about client certificates. hard: without an answer that counts they are refused; soft: they pass.',
});

/** How responders are asked. */
const Ocsp = Type.Object(
  {
    mode: OcspMode,
    responder: Type.Optional(
      Type.String({
        pattern: '^http://',
        maxLength: 2048,
        description: 'Whom to ask, in place of whom the certificate names.',
        examples: ['http://ocsp.example.com/'],
      }),
    ),
    timeout: Type.Optional(Duration),
    maxAge: Type.Optional(Duration),
  },
  strict,
);

/** How revocation is asked about, where there are CRLs. The defaults are what nginx does with ssl_crl. */
const Revocation = Type.Object(
  {
    check: Type.Optional(
      Type.Union([Type.Literal('leaf'), Type.Literal('chain')], {
        description:
          'Whether a CRL is asked for of the client certificate’s issuer alone, or of every CA in the chain.',
        default: 'chain',
      }),
    ),
    stale: Type.Optional(
      Type.Union([Type.Literal('deny'), Type.Literal('allow'), Type.Literal('report')], {
        description:
          'What a CRL past its nextUpdate does to the clients of its CA: deny refuses them; allow lets it count for `grace` longer; report serves them, and logs and counts it. Whom it lists is refused all the same.',
        default: 'deny',
      }),
    ),
    grace: Type.Optional(Duration),
    missing: Type.Optional(
      Type.Union([Type.Literal('deny'), Type.Literal('allow')], {
        description: 'What becomes of clients of a CA without CRL.',
        default: 'deny',
      }),
    ),
  },
  strict,
);

export const trust = {
  ca: Type.Optional(FilePath),
  crl: Type.Optional(
    Type.Union([FilePath, Type.Array(FilePath, { minItems: 1, maxItems: 100 })], {
      description: 'Files of CRLs, in PEM or DER; of several CAs.',
    }),
  ),
  revocation: Type.Optional(Revocation),
  verifyDepth: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 10,
      description: 'Intermediates allowed between the client certificate and the trust anchor.',
    }),
  ),
  ocsp: Type.Optional(Ocsp),
};

/** How a host asks for client certificates, and what it trusts. */
export const ClientAuth = Type.Object(
  {
    mode: ClientAuthMode,
    strict: Type.Optional(
      Type.Boolean({ description: 'Abort the handshake instead of answering 400. Needs mode require.' }),
    ),
    ...trust,
  },
  strict,
);

/** How a route asks, in place of its host. What it does not say of the trust store is the host's. */
export const RouteClientAuth = Type.Object({ mode: ClientAuthMode, ...trust }, strict);
