import { parseTemplate, type TemplatePart, type TemplateProblem } from '../../config/placeholders.ts';
import { attributeType } from '../../tls/attribute-type.ts';
import { valuesOf } from '../../tls/distinguished-name.ts';
import type { Identity } from '../../tls/identity.ts';
import { provenIdentity, type Proof } from './dialects/dialect.ts';
import { base64, escapeOctets } from './escape.ts';

/**
 * Free header templates: `X-Client-CN: "{cn}"`. Placeholders stand in braces, `{{` and `}}` are braces.
 *
 * Values are percent-encoded (UTF-8) wherever they would mean something else than themselves:
 * - everything but printable ASCII, the `%` itself, and spaces at a value's ends;
 * - every character other than letters and digits that stands in the template's own text: in `cn={cn};ou={ou}`
 *   the `=` and `;` of a value, so that a hostile CN cannot bring an `ou=` of its own;
 * - the comma in facts that may have several values, which are joined by `,`.
 * A reader who splits by the template's text and decodes `%XX` has exactly the certificate's values.
 */
export interface Template {
  /**
   * The header's value; null where the header is not sent: all its placeholders are empty, or there is no
   * proven identity to speak of. A template of nothing but `{verify}` is sent for every verdict.
   */
  render(proof: Proof): string | null;
}

type Fact = (identity: Identity) => string;
type Facts = (identity: Identity) => readonly string[];

const attribute = (name: string): Facts => {
  const oid = attributeType(name);
  return ({ subject }) => (oid === null ? [] : valuesOf(subject, oid));
};

/** Facts that a certificate may have several of. */
const lists: Readonly<Record<string, Facts>> = {
  cn: attribute('CN'),
  ou: attribute('OU'),
  o: attribute('O'),
  c: attribute('C'),
  st: attribute('ST'),
  l: attribute('L'),
  dns: ({ san }) => san.dns,
  uri: ({ san }) => san.uri,
  email: ({ san }) => san.email,
  ip: ({ san }) => san.ip,
};

/** Facts that it has one of. Fingerprints in lower-case hex, times as `2026-01-31T12:00:00Z`. */
const singles: Readonly<Record<string, Fact>> = {
  subject: ({ subjectText }) => subjectText,
  issuer: ({ issuerText }) => issuerText,
  serial: ({ serial }) => serial,
  fingerprint: ({ sha256 }) => sha256,
  sha256: ({ sha256 }) => sha256,
  sha1: ({ sha1 }) => sha1,
  spki: ({ spki }) => spki,
  notBefore: ({ notBefore }) => timestamp(notBefore),
  notAfter: ({ notAfter }) => timestamp(notAfter),
  /** The DER in base64. */
  certificate: ({ der }) => base64(der),
};

const verify = 'verify';

/** What may stand in braces. */
export const placeholders: readonly string[] = Object.freeze([
  ...Object.keys(lists),
  ...Object.keys(singles),
  verify,
]);

/** Reads a template once, for any number of requests; or says what is wrong with it. */
export function compileTemplate(text: string): Template | TemplateProblem {
  const parts = parseTemplate(text, placeholders);
  if ('problem' in parts) return parts;
  const problem = ambiguity(parts);
  if (problem !== null) return { problem };
  const unsafe = unsafeCharacters(parts);
  const names = parts.flatMap((part) => ('placeholder' in part ? [part.placeholder] : []));
  const needsIdentity = names.length === 0 || names.some((name) => name !== verify);
  return {
    render(proof) {
      const identity = provenIdentity(proof);
      if (needsIdentity && identity === null) return null;
      let value = '';
      let empty = names.length > 0;
      for (const part of parts) {
        if ('text' in part) {
          value += part.text;
          continue;
        }
        const filled = fill(part.placeholder, proof, identity, unsafe);
        value += filled;
        empty &&= filled === '';
      }
      return empty ? null : value;
    },
  };
}

/** What would keep a reader from telling where one value ends and the next begins. */
function ambiguity(parts: readonly TemplatePart[]): string | null {
  const text = parts.map((part) => ('text' in part ? part.text : '')).join('');
  if (parts.every((part) => 'text' in part)) return null;
  if (text.includes('%')) return '`%` begins an escape within values, so it cannot stand beside them';
  const list = parts.find((part) => 'placeholder' in part && Object.hasOwn(lists, part.placeholder));
  if (list !== undefined && 'placeholder' in list && text.includes(',')) {
    return `{${list.placeholder}} may have several values, joined by \`,\`; put something else beside it`;
  }
  let open: string | null = null;
  for (const part of parts) {
    if ('text' in part) {
      if (/[^A-Za-z0-9]/.test(part.text)) open = null;
      continue;
    }
    if (open !== null) {
      return `{${open}} and {${part.placeholder}} need something other than letters and digits between them`;
    }
    open = part.placeholder;
  }
  return null;
}

/** What is encoded in every value: see Template. */
function unsafeCharacters(parts: readonly TemplatePart[]): RegExp {
  const delimiters = new Set<string>();
  for (const part of parts) {
    if ('text' in part)
      for (const [character] of part.text.matchAll(/[^A-Za-z0-9]/g)) delimiters.add(character);
  }
  // Where quotes delimit, some readers take a backslash for an escape of them.
  if (delimiters.has('"') || delimiters.has("'")) delimiters.add('\\');
  const literal = [...delimiters].map((character) => `\\u{${character.charCodeAt(0).toString(16)}}`).join('');
  return new RegExp(`[^ -~]|[%${literal}]|^ | $`, 'gu');
}

function fill(placeholder: string, proof: Proof, identity: Identity | null, unsafe: RegExp): string {
  const escape = (value: string): string => escapeOctets(value, unsafe, '%');
  if (placeholder === verify) return escape(verdictText(proof));
  if (identity === null) return '';
  const single = singles[placeholder];
  if (single !== undefined) return escape(single(identity));
  const list = lists[placeholder];
  return list === undefined
    ? ''
    : list(identity)
        .map((value) => escape(value).replaceAll(',', '%2C'))
        .join(',');
}

/** As nginx's ssl-client-verify has it. */
function verdictText({ verdict, identity }: Proof): string {
  if (verdict.status === 'failed') return `FAILED:${verdict.detail}`;
  return verdict.status === 'success' && identity !== null ? 'SUCCESS' : 'NONE';
}

/** The range of Date is ±8.64e15; a certificate's years are 0–9999. */
function timestamp(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().replace(/\.[0-9]{3}Z$/, 'Z');
}
