import { type Static, Type } from 'typebox';
import { record, strict } from '../config/schema/value.ts';

const Names = Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }))]);

const DistinguishedName = record(
  {
    pattern: '^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\\.[0-9]+)+)$',
    description:
      'an attribute by its short name (C, ST, L, O, OU, CN, emailAddress, serialNumber, …) or dotted OID',
  },
  Names,
  { description: 'Attributes, the most general first, as in { O: Example, OU: ITOps, CN: a }.' },
);

const Moment = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}',
  description: 'A moment, in UTC unless it says otherwise.',
  examples: ['2026-11-24T12:00:00Z'],
});

/** A certificate that is made in memory, or one out of a file. */
const Certificate = Type.Object(
  {
    file: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'A certificate and its chain, PEM, relative to this file. It is judged by the real trust stores.',
      }),
    ),
    subject: Type.Optional(DistinguishedName),
    issuer: Type.Optional(
      Type.Union([
        Type.String({ minLength: 1, description: 'untrusted, self-signed, or the CN of a CA.' }),
        DistinguishedName,
      ]),
    ),
    trustStore: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'The CA file, as the configuration names it, whose stand-in issues it. Default: that of the route.',
      }),
    ),
    dns: Type.Optional(Names),
    uri: Type.Optional(Names),
    email: Type.Optional(Names),
    ip: Type.Optional(Names),
    serial: Type.Optional(
      Type.String({
        pattern: '^[0-9A-Fa-f:]{2,60}$',
        description: 'A serial number in hex.',
        examples: ['4F3A09'],
      }),
    ),
    notBefore: Type.Optional(Moment),
    notAfter: Type.Optional(Moment),
    usage: Type.Optional(Type.Union([Type.Literal('client'), Type.Literal('server'), Type.Literal('none')])),
    revoked: Type.Optional(Type.Boolean({ description: 'It is on the CRL of its CA.' })),
  },
  strict,
);
export type CertificateFields = Static<typeof Certificate>;

const Status = Type.Integer({ minimum: 100, maximum: 599 });

const Expectation = Type.Union([
  Type.Literal('allow'),
  Type.Object({ allow: Type.String({ minLength: 1, description: 'The upstream that it goes to.' }) }, strict),
  Type.Object(
    {
      deny: Type.String({ minLength: 1, description: 'The reason.', examples: ['policy_ou'] }),
      status: Type.Optional(Status),
    },
    strict,
  ),
  Type.Object(
    {
      report: Type.String({
        minLength: 1,
        description: 'It is served in spite of this reason, since what would refuse it only reports.',
        examples: ['policy_ou'],
      }),
    },
    strict,
  ),
  Type.Object(
    {
      answer: Type.String({
        minLength: 1,
        description: 'What a route answers.',
        examples: ['route_redirect'],
      }),
      status: Type.Optional(Status),
    },
    strict,
  ),
]);
export type Expectation = Static<typeof Expectation>;

const Case = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 300, description: 'What it shows, in words.' }),
    certificate: Type.Optional(Certificate),
    host: Type.String({ minLength: 1, description: 'The Host of the request, perhaps with a port.' }),
    path: Type.Optional(Type.String({ pattern: '^/', description: 'A path that starts with /.' })),
    method: Type.Optional(Type.String({ minLength: 1 })),
    headers: Type.Optional(
      record({ pattern: '^.{1,128}$', description: 'a header name' }, Type.String(), {}),
    ),
    time: Type.Optional(Moment),
    sni: Type.Optional(
      Type.Union([
        Type.Null(),
        Type.String({ minLength: 1, description: 'The server name; null for none.' }),
      ]),
    ),
    address: Type.Optional(Type.String({ minLength: 1, description: "The client's IP address." })),
    plainHttp: Type.Optional(Type.Boolean({ description: 'Over the plain listener.' })),
    expect: Expectation,
  },
  strict,
);
export type CaseFields = Static<typeof Case>;

/** A file of policy tests. */
export const PolicyTests = Type.Object(
  {
    config: Type.Optional(
      Type.String({ minLength: 1, description: 'The configuration, relative to this file.' }),
    ),
    tests: Type.Array(Case, { minItems: 1 }),
  },
  strict,
);
export type PolicyTests = Static<typeof PolicyTests>;
