import type { RouteConfig } from '../../config/schema.ts';
import { readRegex } from '../../policy/regex.ts';
import type { Replacement, ResponseEdits } from '../response-edits.ts';
import type { CompileContext } from './context.ts';

type Config = NonNullable<RouteConfig['response']>;
type ReplacementConfig = NonNullable<Config['locations']>[number];

/** Characters of a header value that regular expressions are tried on; longer ones pass as they are. */
const longestValue = 4096;

/** How a route changes responses; null: not at all. */
export function compileResponseEdits(
  context: CompileContext,
  config: Config | undefined,
  path: string,
): ResponseEdits | null {
  if (config === undefined) return null;
  const list = (name: 'cookieDomains' | 'cookiePaths' | 'locations', matches: Matches): Replacement[] =>
    (config[name] ?? []).map((one, index) => replacement(context, one, matches, `${path}/${name}/${index}`));
  return Object.freeze({
    set: new Map(
      Object.entries(config.set ?? {}).map(([name, value]) => [name.toLowerCase(), [name, value] as const]),
    ),
    remove: new Set((config.remove ?? []).map((name) => name.toLowerCase())),
    hsts: config.hsts === undefined ? null : hsts(config.hsts),
    cookieDomains: Object.freeze(list('cookieDomains', sameDomain)),
    cookiePaths: Object.freeze(list('cookiePaths', startsWith)),
    locations: Object.freeze(list('locations', startsWith)),
  });
}

/** How many characters at the start of a text a plain `from` covers; 0: it does not apply. */
type Matches = (text: string, from: string) => number;

const startsWith: Matches = (text, from) => (text.startsWith(from) ? from.length : 0);

/** nginx leaves a leading dot out of both, and looks at no letter case. */
const sameDomain: Matches = (text, from) =>
  text.replace(/^\./, '').toLowerCase() === from.replace(/^\./, '').toLowerCase() ? text.length : 0;

function replacement(
  context: CompileContext,
  { from, to, regex }: ReplacementConfig,
  matches: Matches,
  path: string,
): Replacement {
  if (regex !== true) {
    return (text) => {
      const length = matches(text, from);
      return length === 0 ? null : to + text.slice(length);
    };
  }
  const compiled = readRegex(from, false);
  if ('problem' in compiled) {
    context.problem(`${path}/from`, compiled.problem);
    return () => null;
  }
  return (text) => {
    if (text.length > longestValue) return null;
    const matcher = compiled.matcher(text);
    if (!matcher.find()) return null;
    const filled = to.replaceAll(/\$([1-9])/g, (_, group: string) =>
      Number(group) > matcher.groupCount() ? '' : (matcher.group(Number(group)) ?? ''),
    );
    return text.slice(0, matcher.start()) + filled + text.slice(matcher.end());
  };
}

function hsts({ maxAge, includeSubDomains, preload }: NonNullable<Config['hsts']>): string {
  return [
    `max-age=${maxAge}`,
    ...(includeSubDomains === true ? ['includeSubDomains'] : []),
    ...(preload === true ? ['preload'] : []),
  ].join('; ');
}
