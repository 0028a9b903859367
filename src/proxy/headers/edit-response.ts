import type { Replacement, ResponseEdits } from '../../snapshot/response-edits.ts';

/** Set-Cookie headers of one response that are looked into; nginx bounds them by its buffers. */
const longestCookie = 8192;

/**
 * A response's headers as a route wants them: name, value, …. Those it sets come last, in place of what was there, like
 * ingress-nginx's `more_set_headers`; Strict-Transport-Security only over https (RFC 6797 §7.2).
 */
export function editResponseHeaders(
  headers: readonly string[],
  edits: ResponseEdits,
  scheme: 'https' | 'http',
): string[] {
  const hsts = scheme === 'https' ? edits.hsts : null;
  const edited: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    const value = headers[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (edits.remove.has(lower) || edits.set.has(lower)) continue;
    if (hsts !== null && lower === 'strict-transport-security') continue;
    edited.push(name, editValue(lower, value, edits));
  }
  for (const [name, value] of edits.set.values()) edited.push(name, value);
  if (hsts !== null) edited.push('Strict-Transport-Security', hsts);
  return edited;
}

function editValue(name: string, value: string, edits: ResponseEdits): string {
  if (name === 'location') return first(edits.locations, value) ?? value;
  if (name === 'refresh') return editRefresh(value, edits.locations);
  if (name === 'set-cookie') return editCookie(value, edits);
  return value;
}

/** The first that applies counts, as in nginx. */
function first(replacements: readonly Replacement[], text: string): string | null {
  for (const replace of replacements) {
    const replaced = replace(text);
    if (replaced !== null) return replaced;
  }
  return null;
}

/** `Refresh: 5; url=/x`. */
function editRefresh(value: string, locations: readonly Replacement[]): string {
  const found = /^([^;]*;\s*url=)(.*)$/is.exec(value);
  if (found === null) return value;
  const [, start = '', url = ''] = found;
  return start + (first(locations, url) ?? url);
}

function editCookie(value: string, { cookieDomains, cookiePaths }: ResponseEdits): string {
  if (value.length > longestCookie || (cookieDomains.length === 0 && cookiePaths.length === 0)) return value;
  return value
    .split(';')
    .map((part, index) => {
      const found = index === 0 ? null : /^(\s*)(domain|path)(\s*=\s*)(.*?)(\s*)$/is.exec(part);
      if (found === null) return part;
      const [, before, name = '', equals, text = '', after] = found;
      const replaced = first(name.toLowerCase() === 'domain' ? cookieDomains : cookiePaths, text);
      return replaced === null ? part : `${before}${name}${equals}${replaced}${after}`;
    })
    .join(';');
}
