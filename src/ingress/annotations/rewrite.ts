import { quote } from '../../config/text.ts';
import { annotation, different, type Parsed, type ValueType } from './annotation.ts';
import { family, type HostDraft, isRedirect, redirectTo } from './family.ts';
import { nginxTemplate } from './nginx-text.ts';
import { flag, text } from './value-types.ts';

/** As many as there are placeholders. */
const groups = 9;

/** nginx answers such a target with a redirect. */
const isUrl = (target: string): boolean => /^(?:https?:\/\/|\$scheme)/.test(target);

const targetType: ValueType<{ readonly text: string; readonly template: string }> = {
  name: 'path or URL with $1 … $9',
  parse(written): Parsed<{ text: string; template: string }> {
    const line = text.parse(written);
    if ('problem' in line) return line;
    const template = nginxTemplate(written, groups);
    if ('problem' in template) return template;
    if (isUrl(written)) return { value: { text: written, template: template.value } };
    if (!/^[/{]/.test(template.value)) return { problem: 'starts with neither / nor a variable nor http' };
    return { value: { text: written, template: template.value } };
  },
};

const target = annotation(
  'rewrite-target',
  targetType,
  'The path for the upstream, with the groups `$1` … `$9` of the path as a regular expression; a URL redirects there (302).',
  {
    scope: 'ingress',
    risk: 'Medium',
    restricts: true,
    state: different(
      'RE2 in place of PCRE, so without look-around and back-references, over the normalised path. A target that cannot be used refuses the paths.',
    ),
  },
);

const useRegex = annotation(
  'use-regex',
  flag,
  'The paths of the host are regular expressions: those of every Ingress of it, from their start, whatever the letter case.',
  {
    default: 'false',
    restricts: true,
    state: different(
      'RE2 in place of PCRE. A path that cannot be read as one refuses (503) everything that begins as it does.',
    ),
  },
);

const rootType: ValueType<string> = {
  name: 'path',
  parse(written) {
    if (!written.startsWith('/') || written.startsWith('//')) return { problem: 'is no absolute path' };
    return nginxTemplate(written, 0);
  },
};

const appRoot = annotation('app-root', rootType, 'Where `/` of the host is redirected to (302).', {
  risk: 'Medium',
});

/** A target that is the path itself rewrites nothing, and makes nothing a regular expression. */
function rewrites(path: string, value: { readonly text: string } | null): boolean {
  return value !== null && value.text !== path;
}

/** With the request's arguments behind its own; a `?` at its end leaves them out, as in nginx. */
function withArguments(template: string): string {
  if (template.endsWith('?')) return template.slice(0, -1);
  return template + (template.includes('?') ? '&{args}' : '{query}');
}

export const rewrite = family({
  name: 'rewrite',
  title: 'Rewrites',
  annotations: [target, useRegex, appRoot],
  applyHost(values, host: HostDraft, context) {
    const value = values.get(target);
    // One that cannot be read refuses its paths, and has to refuse all that they would have matched.
    const isUnread =
      (values.has(target) && value === null) || (values.has(useRegex) && values.get(useRegex) === null);
    const isRewritten = context.paths.some(({ path }) => rewrites(path, value));
    if (values.get(useRegex) === true || isUnread || isRewritten) host.usesRegex = true;
    const root = values.get(appRoot);
    if (root === null) return;
    if (host.root !== null) {
      context.error(appRoot, `the / of ${quote(host.name ?? '*')} is redirected by another Ingress already`);
    } else {
      host.root = { ingress: context.ingress, to: `{scheme}://{authority}${root}` };
    }
  },
  applyRoute(values, route) {
    const value = values.get(target);
    // A redirect of its own goes first, as it is written later in nginx's location, but by then the rewrite has ended.
    if (value === null || !rewrites(route.match.path, value) || isRedirect(route)) return;
    if (!isUrl(value.text)) {
      route.config.rewrite = value.template;
      return;
    }
    redirectTo(route, withArguments(value.template), 302);
  },
});
