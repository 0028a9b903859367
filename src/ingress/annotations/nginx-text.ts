import { listOf, quote } from '../../config/text.ts';
import type { Parsed } from './annotation.ts';

/** nginx's variables that a target may hold, and our placeholders for them. */
const placeholders: ReadonlyMap<string, string> = new Map([
  ['request_uri', '{uri}'],
  ['uri', '{path}'],
  ['document_uri', '{path}'],
  ['args', '{args}'],
  ['query_string', '{args}'],
  ['is_args', ''],
  ['host', '{host}'],
  ['http_host', '{authority}'],
  ['best_http_host', '{authority}'],
  ['scheme', '{scheme}'],
  ['pass_access_scheme', '{scheme}'],
]);

const known = ['$request_uri', '$uri', '$args', '$host', '$http_host', '$scheme'];

/**
 * nginx's text with variables as a template of the native configuration. What is not a variable that we know is refused,
 * and no character of the text can be anything but text: braces are doubled.
 *
 * @param groups How many capture groups `$1` … `$9` may name; 0 where there is no regular expression.
 */
export function nginxTemplate(text: string, groups: number): Parsed<string> {
  if (!/^[!-~]+$/.test(text)) return { problem: 'holds blanks or characters that a URL cannot' };
  return templateOf(text, groups);
}

/** The value of a header, with blanks perhaps, as a template of the native configuration. It may be empty. */
export function nginxHeaderValue(text: string): Parsed<string> {
  if (!/^[ -~]{0,2048}$/.test(text)) return { problem: 'is no line of printable ASCII' };
  return templateOf(text, 0);
}

function templateOf(text: string, groups: number): Parsed<string> {
  let template = '';
  const variable = /\$is_args\$(?:args|query_string)|\$(?:\{([^}]*)\}|([a-zA-Z_][a-zA-Z0-9_]*|[0-9]))?/y;
  for (let at = 0; at < text.length;) {
    const character = text[at]!;
    if (character !== '$') {
      template += character === '{' || character === '}' ? character + character : character;
      at++;
      continue;
    }
    variable.lastIndex = at;
    const match = variable.exec(text)!;
    at += match[0].length;
    if (match[0].startsWith('$is_args$')) {
      template += '{query}';
      continue;
    }
    const name = match[1] ?? match[2] ?? '';
    if (/^[1-9]$/.test(name)) {
      if (groups === 0) return { problem: `holds ${quote(`$${name}`)}, and there is no group to fill it` };
      template += `{${name}}`;
      continue;
    }
    const placeholder = placeholders.get(name);
    if (placeholder === undefined) {
      return {
        problem: `holds ${quote(match[0])}, which is not known here: of nginx's variables only ${listOf(known, 'and')} are`,
      };
    }
    template += placeholder;
  }
  return { value: template };
}

const keyPlaceholders: ReadonlyMap<string, string> = new Map([
  ['request_uri', '{uri}'],
  ['uri', '{path}'],
  ['document_uri', '{path}'],
  ['host', '{host}'],
  ['http_host', '{host}'],
  ['remote_addr', '{address}'],
  ['binary_remote_addr', '{address}'],
  ['the_real_ip', '{address}'],
  ['args', '{query}'],
  ['query_string', '{query}'],
  ['ssl_client_s_dn', '{subject}'],
]);

/** nginx's text with variables as what requests are hashed by. */
export function nginxKey(text: string): Parsed<string> {
  if (!/^[!-~]{1,512}$/.test(text)) return { problem: 'holds blanks or characters beyond ASCII' };
  let unknown: string | null = null;
  const key = text.replaceAll(
    /\$(?:\{([^}]*)\}|([a-zA-Z_][a-zA-Z0-9_]*))?|[{}]/g,
    (match: string, braced: string | undefined, plain: string | undefined) => {
      if (match === '{' || match === '}') return match + match;
      const name = (braced ?? plain ?? '').toLowerCase();
      const found = keyPlaceholders.get(name);
      if (found !== undefined) return found;
      const named = /^(http|cookie|arg)_([a-z0-9_]+)$/.exec(name);
      if (named === null) {
        unknown ??= match;
        return '';
      }
      const [, kind, what] = named as unknown as [string, string, string];
      // The case of a cookie's name and of an argument's counts.
      const written = (braced ?? plain ?? '').slice(kind.length + 1);
      return kind === 'http' ? `{header:${what.replaceAll('_', '-')}}` : `{${kind}:${written}}`;
    },
  );
  return unknown === null ? { value: key } : { problem: `holds ${quote(unknown)}, which is not known here` };
}
