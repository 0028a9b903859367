import type { PolicyReason } from '../snapshot/reason.ts';
import { attributeTypeName } from '../tls/attribute-type.ts';
import { valuesOf } from '../tls/distinguished-name.ts';
import type { Identity } from '../tls/identity.ts';
import {
  dnsName,
  emailAddress,
  fingerprint,
  ipAddress,
  nameText,
  plainText,
  publicKeyHash,
  serialNumber,
  type ValueSyntax,
} from './value-syntax.ts';

/** Something that a certificate says of its holder and a rule can ask for. */
export interface Fact {
  /** For people: `OU`, `subject L`, `DNS name`. */
  readonly name: string;
  readonly reason: PolicyReason;
  readonly syntax: ValueSyntax;
  /** In the form that the syntax compares. */
  readonly values: (identity: Identity) => readonly string[];
}

const oids = { cn: '2.5.4.3', ou: '2.5.4.11', o: '2.5.4.10' } as const;

const subjectReasons: Readonly<Record<string, PolicyReason>> = {
  [oids.cn]: 'policy_cn',
  [oids.ou]: 'policy_ou',
  [oids.o]: 'policy_o',
};

/** An attribute of the subject or the issuer, by the dotted OID of its type. */
export function attributeFact(of: 'subject' | 'issuer', oid: string): Fact {
  const own = of === 'subject' ? subjectReasons[oid] : undefined;
  const name = attributeTypeName(oid);
  return {
    name: own === undefined ? `${of} ${name}` : name,
    reason: own ?? (of === 'subject' ? 'policy_subject' : 'policy_issuer'),
    syntax: plainText,
    values: (identity) => valuesOf(identity[of], oid),
  };
}

/** The values of one kind of alternative name, as they are compared. */
function altNameFact(
  name: string,
  reason: PolicyReason,
  syntax: ValueSyntax,
  key: keyof Identity['san'],
): Fact {
  return { name, reason, syntax, values: (identity) => identity.san[key].map(syntax.value) };
}

/** Every fact that has a key of its own in a policy. */
export const facts = Object.freeze({
  cn: attributeFact('subject', oids.cn),
  ou: attributeFact('subject', oids.ou),
  o: attributeFact('subject', oids.o),
  subject: {
    name: 'subject',
    reason: 'policy_subject',
    syntax: nameText,
    values: (identity) => [identity.subjectText],
  },
  issuer: {
    name: 'issuer',
    reason: 'policy_issuer',
    syntax: nameText,
    values: (identity) => [identity.issuerText],
  },
  dns: altNameFact('DNS name', 'policy_dns', dnsName, 'dns'),
  uri: altNameFact('URI', 'policy_uri', plainText, 'uri'),
  email: altNameFact('e-mail address', 'policy_email', emailAddress, 'email'),
  ip: altNameFact('IP address', 'policy_ip', ipAddress, 'ip'),
  serial: {
    name: 'serial number',
    reason: 'policy_serial',
    syntax: serialNumber,
    values: (identity) => [serialNumber.value(identity.serial)],
  },
  fingerprint: {
    name: 'fingerprint',
    reason: 'policy_fingerprint',
    syntax: fingerprint,
    values: (identity) => [identity.sha256, identity.sha1],
  },
  spki: {
    name: 'public key hash',
    reason: 'policy_spki',
    syntax: publicKeyHash,
    values: (identity) => [identity.spki],
  },
} satisfies Record<string, Fact>);

export type FactKey = keyof typeof facts;
export const factKeys: readonly FactKey[] = Object.freeze(Object.keys(facts) as FactKey[]);
