import { Type, type Static } from 'typebox';
import { record, strict } from './value.ts';

/** One value, `*` for any run of characters (anchored), or `{ regex: … }`: anchored, linear time (RE2). */
export const ValueMatcher = Type.Union([
  Type.String({ minLength: 1 }),
  Type.Object({ regex: Type.String({ minLength: 1 }) }, strict),
  Type.Object({ exact: Type.String({ minLength: 1 }) }, strict),
]);
export type ValueMatcher = Static<typeof ValueMatcher>;

/** A single matcher, or a list of which any may match. An empty list matches nothing. */
export const Matcher = Type.Union([ValueMatcher, Type.Array(ValueMatcher)]);
export type Matcher = Static<typeof Matcher>;

const AttributeMatchers = record(
  {
    pattern: '^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\\.[0-9]+)+)$',
    description:
      'an attribute by its short name (C, ST, L, O, OU, CN, emailAddress, serialNumber, …) or dotted OID',
  },
  Matcher,
  { minProperties: 1 },
);

const matcherFields = {
  cn: Type.Optional(Matcher),
  ou: Type.Optional(Matcher),
  o: Type.Optional(Matcher),
  subject: Type.Optional(
    Type.Union([Matcher, AttributeMatchers], {
      description: 'The whole subject in RFC 2253 form, or a map of attributes.',
    }),
  ),
  issuer: Type.Optional(
    Type.Union([Matcher, AttributeMatchers], {
      description: 'The whole issuer in RFC 2253 form, or a map of attributes.',
    }),
  ),
  dns: Type.Optional(Matcher),
  uri: Type.Optional(Matcher),
  email: Type.Optional(Matcher),
  ip: Type.Optional(Matcher),
  serial: Type.Optional(Matcher),
  fingerprint: Type.Optional(Matcher),
  spki: Type.Optional(Matcher),
};

/**
 * Rules over an identity. Several keys in one object must all hold.
 * Written out as an interface because it refers to itself.
 */
export interface PolicyConfig extends Static<typeof PolicyFields> {
  all?: PolicyConfig[];
  any?: PolicyConfig[];
  not?: PolicyConfig;
}
const PolicyFields = Type.Object(matcherFields, strict);

/** A policy, wherever one may stand. */
export const PolicyRef = Type.Unsafe<PolicyConfig>(Type.Ref('Policy'));

/** What `Policy` means in the module of schemas. */
export const PolicySchema = Type.Object(
  {
    ...matcherFields,
    all: Type.Optional(Type.Array(Type.Ref('Policy'))),
    any: Type.Optional(Type.Array(Type.Ref('Policy'))),
    not: Type.Optional(Type.Ref('Policy')),
  },
  { ...strict, minProperties: 1, description: 'Rules over the client identity; every key must hold.' },
);
