import * as fc from 'fast-check';
import type { DistinguishedName } from '../../../src/tls/identity.ts';
import { aName, anIdentity } from '../../support/identity.ts';

/** Values that someone could talk a CA into signing. */
export const hostileValue: fc.Arbitrary<string> = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      '"',
      "'",
      '\\',
      ',',
      ';',
      '=',
      '/',
      '+',
      '%',
      '<',
      '>',
      '#',
      ' ',
      '\t',
      '\r\n',
      '\n',
      '\0',
      '\x7f',
    ),
    fc.constantFrom(
      'OU=ITOps',
      'CN=admin',
      '";OU="',
      ',OU=',
      '/OU=',
      ';Hash=',
      'Subject="',
      '%2C',
      '\\22',
      '\\x2F',
      '\\,',
    ),
    fc.constantFrom('é', 'र', '😀', '\u2028', '\u0085', 'ÿ', '\u{10FFFF}', '\uFFFD'),
    fc.constantFrom('a', 'admin', 'Roshan', '0', '41', '.', '-', ':', '@'),
  ),
  minLength: 1,
  maxLength: 12,
});

const rdn = fc.tuple(
  fc.constantFrom('CN', 'OU', 'O', 'C', 'ST', 'L', 'DC', 'serialNumber', 'emailAddress'),
  hostileValue,
);

export const hostileName: fc.Arbitrary<DistinguishedName> = fc
  .array(fc.oneof(rdn, fc.array(rdn, { minLength: 2, maxLength: 3 })), { maxLength: 6 })
  .map((rdns) => aName(...rdns));

export const hostileIdentity = fc
  .record({
    subject: hostileName,
    issuer: hostileName,
    san: fc.record({
      dns: fc.array(hostileValue, { maxLength: 3 }),
      uri: fc.array(hostileValue, { maxLength: 3 }),
      email: fc.array(hostileValue, { maxLength: 2 }),
      ip: fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 2 }),
    }),
    der: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    serial: fc.bigInt({ min: -5n, max: 1n << 160n }).map((serial) => serial.toString(16).toUpperCase()),
    notBefore: fc.integer({ min: -1e12, max: 4e12 }),
    notAfter: fc.integer({ min: 0, max: 253_402_300_799_000 }),
  })
  .map((options) => anIdentity(options));

/** `type=value` pairs of a name, in certificate order. */
export function pairsOf(name: DistinguishedName, typeName: (oid: string) => string): [string, string][] {
  return name.flat().map(({ oid, value }) => [typeName(oid), value]);
}
