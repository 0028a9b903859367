import { objectNames } from './object-names.ts';

/** The branches under which attribute types of names live: X.520, RFC 4524, PKCS #9, EV certificates, Russia's. */
const branches = [
  '2.5.4.',
  '0.9.2342.19200300.100.1.',
  '1.2.840.113549.1.9.',
  '1.3.6.1.4.1.311.60.2.1.',
  '1.2.643.3.131.',
  '1.2.643.100.',
];

/** Names that people write and OpenSSL's short names lack: long names, and those of other software. */
const aliases: Readonly<Record<string, string>> = {
  commonName: '2.5.4.3',
  surname: '2.5.4.4',
  countryName: '2.5.4.6',
  localityName: '2.5.4.7',
  S: '2.5.4.8',
  SP: '2.5.4.8',
  state: '2.5.4.8',
  stateOrProvinceName: '2.5.4.8',
  streetAddress: '2.5.4.9',
  organizationName: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  organizationalUnitName: '2.5.4.11',
  givenName: '2.5.4.42',
  userId: '0.9.2342.19200300.100.1.1',
  domainComponent: '0.9.2342.19200300.100.1.25',
  E: '1.2.840.113549.1.9.1',
  email: '1.2.840.113549.1.9.1',
};

const byName = new Map<string, string>();
/** Names as they are best written, for suggestions. */
const names: string[] = [];

for (const [oid, name] of objectNames) {
  const key = name.toLowerCase();
  if (branches.some((branch) => oid.startsWith(branch)) && !byName.has(key)) {
    byName.set(key, oid);
    names.push(name);
  }
}
for (const [name, oid] of Object.entries(aliases)) {
  byName.set(name.toLowerCase(), oid);
  names.push(name);
}

/** Names of attribute types that `attributeType` understands, for suggesting one. */
export const attributeTypeNames: readonly string[] = Object.freeze(names);

/**
 * The dotted OID of an attribute type written as a short name (`CN`, `ou`, `emailAddress`; any case), as one
 * of the usual long names, or as a dotted OID itself; null for anything else.
 */
export function attributeType(text: string): string | null {
  if (/^(?:[01]\.[1-3]?[0-9]|2\.(?:0|[1-9][0-9]{0,38}))(?:\.(?:0|[1-9][0-9]{0,38})){1,64}$/.test(text)) {
    return text;
  }
  return byName.get(text.toLowerCase()) ?? null;
}

/** How an attribute type is called for people: OpenSSL's short name, or its numbers. */
export const attributeTypeName = (oid: string): string => objectNames.get(oid) ?? oid;
