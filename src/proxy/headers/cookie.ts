import { valuesOf } from './field.ts';

/**
 * The value of a request's cookie, or null: the first of that name, case-sensitively, over all Cookie headers, as
 * nginx's `$cookie_name` reads it (RFC 6265 §4.2.1). Quotes are part of the value.
 */
export function cookieOf(rawHeaders: readonly string[], name: string): string | null {
  for (const value of valuesOf(rawHeaders, 'cookie')) {
    for (const pair of value.split(';')) {
      const equals = pair.indexOf('=');
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return null;
}
