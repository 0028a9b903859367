import { formatCidr, isWithin, parseCidr } from '../tls/cidr.ts';
import { formatIpAddress, parseIpAddress } from '../tls/ip-address.ts';
import type { ValueTest } from './policy.ts';

/** What is wrong with a matcher as written, and what to write instead. */
export interface Complaint {
  readonly problem: string;
}

/** How the values of a fact are compared: what a matcher for them may look like, and what it is turned into. */
export interface ValueSyntax {
  /** The form that a literal's values are compared in, or why there can be none like it. */
  readonly literal: (text: string) => string | Complaint;
  /** The same for a text with `*` in it. */
  readonly wildcard: (text: string) => string | Complaint;
  /** Writes a text so that what belongs together is one character, which no `*` can end within. */
  readonly atoms?: (text: string) => string;
  /** The form that a value of the identity is compared in. */
  readonly value: (text: string) => string;
  /** Absent: no regular expression is taken, and this is why. */
  readonly regex: { readonly ignoreCase: boolean } | Complaint;
  /** A test of another kind that the text stands for: a network. */
  readonly special?: (text: string) => ValueTest | Complaint | null;
}

const same = (text: string): string => text;

/** Only ASCII's letters: Unicode would make the Kelvin sign a `k`. */
const lower = (text: string): string =>
  text.replaceAll(/[A-Z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 32));

/** Compared character by character: attributes of names, URIs. */
export const plainText: ValueSyntax = {
  literal: same,
  wildcard: same,
  value: same,
  regex: { ignoreCase: false },
};

const nameHint =
  'write it as `openssl x509 -nameopt RFC2253 -noout -subject` prints it (`CN=…,OU=…`, no space after a comma), ' +
  'or as a map of attributes';

/** Names that other tools print can never equal an RFC 2253 text: say so, or the rule would deny in silence. */
function rfc2253(text: string): string | Complaint {
  // Backslash escapes stand for all but printable ASCII: another character could never match.
  const other = /[^ -~]/.test(text) || text.startsWith('/') || /(?:^|[^\\]), /.test(text) || / = /.test(text);
  return other ? { problem: `no name in RFC 2253 form: ${nameHint}` } : text;
}

/**
 * Each escape of an RFC 2253 text as one character of Unicode's private use area, which such a text never
 * holds. Else `*,OU=ITOps` would match `CN=x\\,OU=ITOps`, which is a CN and no OU at all.
 */
function escapesAsAtoms(text: string): string {
  return text.replaceAll(
    /\\(?:([0-9A-F]{2})|([ "#+,;<>\\]))/g,
    (_, octet: string | undefined, special: string) =>
      String.fromCharCode(
        octet === undefined ? 0xe000 + special.charCodeAt(0) : 0xe100 + Number.parseInt(octet, 16),
      ),
  );
}

/** The RFC 2253 text of a whole name. A regular expression is tried on the text as it is, escapes and all. */
export const nameText: ValueSyntax = {
  ...plainText,
  literal: rfc2253,
  wildcard: rfc2253,
  atoms: escapesAsAtoms,
};

function asciiName(text: string): string | Complaint {
  return /^[!-~]+$/.test(text)
    ? lower(text.replace(/\.$/, ''))
    : { problem: 'no DNS name: write other scripts as certificates have them, in their xn-- form' };
}

/** DNS names: in any letter case, a dot at the end aside. A `*` in a certificate is a character like any other. */
export const dnsName: ValueSyntax = {
  literal: asciiName,
  wildcard: asciiName,
  value: (text) => lower(text.replace(/\.$/, '')),
  regex: { ignoreCase: true },
};

/** The domain behind the last `@` in lower case, what stands before it as it is (RFC 5321 §2.4). */
function lowerDomain(text: string): string {
  const at = text.lastIndexOf('@') + 1;
  return at === 0 ? text : text.slice(0, at) + lower(text.slice(at));
}

const address = (text: string): string | Complaint =>
  text.includes('@') || /^\*+$/.test(text)
    ? lowerDomain(text)
    : { problem: 'no e-mail address, it lacks an @: for a whole domain write `*@example.com`' };

/** E-mail addresses: the domain in any letter case, the local part exactly. */
export const emailAddress: ValueSyntax = {
  literal: address,
  wildcard: address,
  value: lowerDomain,
  regex: { ignoreCase: false },
};

const addressHint = 'write an address, or a network such as `10.1.0.0/16` or `2001:db8::/32`';

function network(text: string): ValueTest | Complaint | null {
  if (!text.includes('/')) return null;
  const range = parseCidr(text);
  if (range === null) return { problem: `no network: ${addressHint}` };
  const written = `write \`${formatCidr(range)}\``;
  if (range.hasHostBits) return { problem: `an address within a network: ${written}` };
  // It reads as one of IPv4; certificates' addresses in that form are IPv6, and it would match none of them.
  if (range.octets.length === 4 && text.includes(':'))
    return { problem: `a network of IPv4 in the form of IPv6: ${written}` };
  return Object.freeze({
    text,
    test: (value: string) => {
      const address = parseIpAddress(value);
      return address !== null && isWithin(range, address);
    },
  });
}

/** IP addresses in any of their forms, and networks in CIDR notation. IPv4 and IPv6 stay apart. */
export const ipAddress: ValueSyntax = {
  literal: (text) => {
    const octets = parseIpAddress(text);
    return octets === null ? { problem: `no IP address: ${addressHint}` } : formatIpAddress(octets)!;
  },
  wildcard: () => ({ problem: `\`*\` cannot stand in an IP address: ${addressHint}` }),
  value: same,
  regex: { ignoreCase: true },
  special: network,
};

function hexDigits(text: string): string | null {
  const digits = lower(text.replaceAll(/[:\s]/g, '')).replace(/^(-?)0x/, '$1');
  return /^-?[0-9a-f]+$/.test(digits) ? digits : null;
}

const stripZeros = (digits: string): string => digits.replace(/^(-?)0+(?=.)/, '$1');

const comparedWhole = (what: string): Complaint => ({
  problem: `a ${what} is compared whole: write all of its hex digits, no \`*\` and no regular expression`,
});

/** Serial numbers in hex: letter case, colons, `0x` and leading zeros do not count. */
export const serialNumber: ValueSyntax = {
  literal: (text) => {
    const digits = hexDigits(text);
    return digits === null
      ? { problem: 'no serial number: write it in hex, as `openssl x509 -noout -serial` prints it' }
      : stripZeros(digits);
  },
  wildcard: () => comparedWhole('serial number'),
  value: (text) => stripZeros(lower(text)),
  regex: comparedWhole('serial number'),
};

function digest(what: string, lengths: readonly number[], hint: string): ValueSyntax {
  return {
    literal: (text) => {
      const digits = hexDigits(text);
      return digits !== null && lengths.includes(digits.length)
        ? digits
        : { problem: `no ${what}: write ${hint}` };
    },
    wildcard: () => comparedWhole(what),
    value: same,
    regex: comparedWhole(what),
  };
}

/** SHA-256 or SHA-1 over the certificate; their lengths tell them apart. */
export const fingerprint: ValueSyntax = digest(
  'fingerprint',
  [64, 40],
  'the 64 hex digits of the SHA-256 (or the 40 of the SHA-1), as `openssl x509 -noout -fingerprint -sha256` prints them',
);

/** SHA-256 over the SubjectPublicKeyInfo. */
export const publicKeyHash: ValueSyntax = digest(
  'public key hash',
  [64],
  'the 64 hex digits of the SHA-256 over the DER of the public key',
);
