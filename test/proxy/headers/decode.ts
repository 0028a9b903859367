/**
 * Readers of each dialect's syntax, written from its description and sharing nothing with the writers: what
 * they find must be what the certificate holds.
 */

/** `type=value` pairs of an RFC 2253 name, in its own order. Escapes: `\` and a special character or a hex pair. */
export function readRfc2253(text: string): [type: string, value: string][] {
  const pairs: [string, string][] = [];
  let index = 0;
  while (index < text.length) {
    const equals = text.indexOf('=', index);
    if (equals === -1) throw new Error(`no = in ${text}`);
    const type = text.slice(index, equals);
    const octets: number[] = [];
    index = equals + 1;
    while (index < text.length && text[index] !== ',' && text[index] !== '+') {
      if (text[index] !== '\\') {
        octets.push(text.charCodeAt(index++));
        continue;
      }
      const pair = text.slice(index + 1, index + 3);
      if (/^[0-9A-F]{2}$/.test(pair)) {
        octets.push(Number.parseInt(pair, 16));
        index += 3;
      } else {
        if (index + 1 >= text.length) throw new Error(`${text} ends within an escape`);
        octets.push(text.charCodeAt(index + 1));
        index += 2;
      }
    }
    pairs.push([type, Buffer.from(octets).toString('utf8')]);
    if (index === text.length - 1) throw new Error(`${text} ends in a separator`);
    index++;
  }
  return pairs;
}

/** Splits outside double quotes. In quotes, what `isEscape` accepts behind a backslash is escaped. */
function splitUnquoted(text: string, separator: string, isEscape: (character: string) => boolean): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? '';
    if (quoted && character === '\\' && isEscape(text[index + 1] ?? '')) {
      part += character + (text[++index] ?? '');
      continue;
    }
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  if (quoted) throw new Error(`a quote in ${text} is not closed`);
  return [...parts, part];
}

/** How much of what follows a backslash a reader takes for escaped: Envoy's documentation says `"` only. */
export const envoyEscapes = (character: string): boolean => character === '"';
export const allEscapes = (character: string): boolean => character !== '';

/** The elements of an x-forwarded-client-cert header, each as its `Key=Value` pairs. */
export function readXfcc(text: string, isEscape = envoyEscapes): [key: string, value: string][][] {
  return splitUnquoted(text, ',', isEscape).map((element) =>
    splitUnquoted(element, ';', isEscape).map((field) => {
      const equals = field.indexOf('=');
      if (equals === -1) throw new Error(`no = in ${field}`);
      const value = field.slice(equals + 1);
      if (!value.startsWith('"')) return [field.slice(0, equals), value];
      if (!/^"[^]*"$/.test(value) || value.length < 2) throw new Error(`${value} is half quoted`);
      const unescaped = value
        .slice(1, -1)
        .replaceAll(/\\(.)/g, (pair, character: string) => (isEscape(character) ? character : pair));
      return [field.slice(0, equals), unescaped];
    }),
  );
}

export function decodePercent(text: string): string {
  return decodeOctets(text, /%([0-9A-Fa-f]{2})/g);
}

/** Escaped octets among UTF-8 text. */
function decodeOctets(text: string, escapes: RegExp): string {
  const octets = Buffer.from(text, 'utf8').toString('latin1');
  const decoded = octets.replaceAll(escapes, (_, pair: string) =>
    String.fromCharCode(Number.parseInt(pair, 16)),
  );
  return Buffer.from(decoded, 'latin1').toString('utf8');
}

/** The fields of X-Forwarded-Tls-Client-Cert-Info, before the values' own decoding. */
export function readTraefikInfo(header: string): [key: string, value: string][] {
  const text = decodeURIComponent(header.replaceAll('+', '%20'));
  const fields: [string, string][] = [];
  const pattern = /(\w+)="([^"]*)"(?:;|$)/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) throw new Error(`${text} is no info`);
    fields.push([match[1] ?? '', match[2] ?? '']);
  }
  return fields;
}

export function readTraefikName(value: string): [type: string, value: string][] {
  return value.split(',').map((part) => {
    const [type = '', ...rest] = part.split('=');
    return [type, decodePercent(rest.join('='))];
  });
}

/** The entries of a slash-style name: `/C=NP/CN=x`, `\xHH` in values. */
export function readSlashStyle(text: string): [type: string, value: string][] {
  const [first, ...entries] = text.split('/');
  if (first !== '') throw new Error(`${text} does not begin with /`);
  return entries.map((entry) => {
    const [type = '', ...rest] = entry.split('=');
    return [type, readHexEscapes(rest.join('='))];
  });
}

export function readHexEscapes(text: string): string {
  return decodeOctets(text, /\\x([0-9A-F]{2})/g);
}

/** Name, value, … to a map in lower case; a name that comes twice is an error. */
export function toMap(headers: readonly string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] ?? '').toLowerCase();
    if (map.has(name)) throw new Error(`${name} twice`);
    map.set(name, headers[index + 1] ?? '');
  }
  return map;
}
