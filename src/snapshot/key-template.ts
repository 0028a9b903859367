import { parseTemplate, type TemplateProblem } from '../config/placeholders.ts';
import { cookieOf } from '../proxy/headers/cookie.ts';
import { valuesOf } from '../proxy/headers/field.ts';
import { attributeType } from '../tls/attribute-type.ts';
import { valuesOf as attributesOf } from '../tls/distinguished-name.ts';
import type { Identity } from '../tls/identity.ts';

/** What a key is made from. */
export interface KeyFacts {
  /** Normalised. */
  readonly path: string;
  /** From `?` on, or empty. */
  readonly query: string;
  /** Lower case, no port. */
  readonly host: string;
  /** Of the client, as a trusted proxy tells it. */
  readonly address: string;
  readonly rawHeaders: readonly string[];
  /** Proven, or null. */
  readonly identity: Identity | null;
}

/** What requests are hashed by, to one and the same endpoint: text with placeholders. */
export interface KeyTemplate {
  readonly text: string;
  /** Empty where the request has none of what is asked for. */
  render(facts: KeyFacts): string;
}

type Fact = (facts: KeyFacts) => string;

const commonName = attributeType('CN') ?? '';

const fixed: Readonly<Record<string, Fact>> = {
  path: ({ path }) => path,
  query: ({ query }) => query,
  uri: ({ path, query }) => path + query,
  host: ({ host }) => host,
  address: ({ address }) => address,
  cn: ({ identity }) => (identity === null ? '' : attributesOf(identity.subject, commonName).join(',')),
  subject: ({ identity }) => identity?.subjectText ?? '',
  fingerprint: ({ identity }) => identity?.sha256 ?? '',
  spki: ({ identity }) => identity?.spki ?? '',
};

const named: Readonly<Record<string, (name: string) => Fact>> = {
  header: (name) => {
    const lower = name.toLowerCase();
    return ({ rawHeaders }) => valuesOf(rawHeaders, lower).join(', ');
  },
  cookie:
    (name) =>
    ({ rawHeaders }) =>
      cookieOf(rawHeaders, name) ?? '',
  arg:
    (name) =>
    ({ query }) =>
      argumentOf(query, name),
};

/**
 * Reads a template once: `{path}`, `{query}` (with its `?`), `{uri}` (both), `{host}`, `{address}`; `{header:X-User}`,
 * `{cookie:name}`, `{arg:name}`; and of a proven identity `{cn}`, `{subject}`, `{fingerprint}`, `{spki}`.
 */
export function compileKeyTemplate(text: string): KeyTemplate | TemplateProblem {
  const own = [...text.matchAll(/\{((?:header|cookie|arg):[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})\}/g)];
  const parts = parseTemplate(text, [...Object.keys(fixed), ...own.map(([, name]) => name!)]);
  if ('problem' in parts) return parts;
  if (parts.every((part) => 'text' in part)) {
    return { problem: 'a key without a placeholder is the same for all: one endpoint would take everything' };
  }
  const facts = parts.map((part): Fact | string => ('text' in part ? part.text : factOf(part.placeholder)));
  return Object.freeze({
    text,
    render(about: KeyFacts): string {
      let [key, found] = ['', false];
      for (const fact of facts) {
        const value = typeof fact === 'string' ? fact : fact(about);
        found ||= typeof fact !== 'string' && value !== '';
        key += value;
      }
      return found ? key : '';
    },
  });
}

function factOf(placeholder: string): Fact {
  const colon = placeholder.indexOf(':');
  if (colon === -1) return fixed[placeholder]!;
  return named[placeholder.slice(0, colon)]!(placeholder.slice(colon + 1));
}

/** As nginx's `$arg_name`: the first of that name, in any case, undecoded. */
function argumentOf(query: string, name: string): string {
  const lower = `${name.toLowerCase()}=`;
  for (const pair of query.slice(1).split('&')) {
    if (pair.toLowerCase().startsWith(lower)) return pair.slice(lower.length);
  }
  return '';
}
