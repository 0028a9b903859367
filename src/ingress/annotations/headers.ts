import type { RouteConfig } from '../../config/schema.ts';
import { quote } from '../../config/text.ts';
import { readRegex } from '../../policy/regex.ts';
import { isReservedHeader } from '../../proxy/headers/request.ts';
import { addHeaders, allowedHeaders, hideHeaders, setHeaders } from '../settings/headers.ts';
import { hsts, hstsMaxAge, hstsPreload, hstsSubdomains } from '../settings/tls.ts';
import { annotation, different, type Parsed, refused, type ValueType } from './annotation.ts';
import { type Context, family, type HostDraft, type RouteDraft } from './family.ts';
import { flag, objectName, oneOf, text } from './value-types.ts';

type Edits = NonNullable<RouteConfig['response']>;
type Replacement = NonNullable<Edits['locations']>[number];

/** `from to`, as nginx's proxy_cookie_domain has it; `~` in front of a regular expression. Null: off. */
const cookieRewrite: ValueType<Replacement | null> = {
  name: 'off | from to',
  parse(written): Parsed<Replacement | null> {
    if (written === 'off') return { value: null };
    const parts = written.split(/\s+/);
    if (parts.length !== 2) return { problem: 'is not two words, what to replace and what by' };
    return replacement(parts[0]!, parts[1]!);
  },
};

function replacement(from: string, to: string): Parsed<Replacement> {
  if (!/^[!-~]{1,1000}$/.test(to) || from.length > 1000) return { problem: 'is no text of printable ASCII' };
  if (!from.startsWith('~'))
    return to.includes('$') ? { problem: 'holds a variable, and no groups' } : { value: { from, to } };
  const pattern = from.startsWith('~*') ? `(?i)${from.slice(2)}` : from.slice(1);
  const regex = readRegex(pattern, false);
  if ('problem' in regex) return { problem: `is ${regex.problem}` };
  if (/\$(?![1-9])/.test(to)) return { problem: 'holds a variable other than $1 to $9' };
  return { value: { from: pattern, to, regex: true } };
}

const cookieState = different('RE2 in place of PCRE; of variables only `$1` to `$9`.');
const cookieDomain = annotation('proxy-cookie-domain', cookieRewrite, 'Rewrite the domain in Set-Cookie.', {
  risk: 'Medium',
  default: 'off',
  global: true,
  state: cookieState,
});
const cookiePath = annotation('proxy-cookie-path', cookieRewrite, 'Rewrite the path in Set-Cookie.', {
  risk: 'Medium',
  default: 'off',
  global: true,
  state: cookieState,
});
const redirectFrom = annotation(
  'proxy-redirect-from',
  text,
  'What Location and Refresh begin with, to be replaced.',
  {
    risk: 'Medium',
    default: 'off',
    global: true,
    state: cookieState,
  },
);
const redirectTo = annotation('proxy-redirect-to', text, 'What it is replaced by.', {
  risk: 'Medium',
  default: 'off',
  global: true,
});
const prefixType: ValueType<string> = {
  name: 'text',
  parse(written) {
    return /^[!-~]{1,1000}$/.test(written) && !written.includes('$')
      ? { value: written }
      : { problem: 'is no path without variables' };
  },
};
const prefix = annotation(
  'x-forwarded-prefix',
  prefixType,
  'The value of X-Forwarded-Prefix, where the path is rewritten.',
  {
    risk: 'Medium',
    state: different('Variables are not filled in.'),
  },
);
const custom = annotation('custom-headers', objectName, 'A ConfigMap of headers that answers get.', {
  risk: 'Medium',
  restricts: true,
});
const accessLog = annotation('enable-access-log', flag, 'Log its requests.', { default: 'true' });

const connection = annotation(
  'connection-proxy-header',
  oneOf('keep-alive', 'close'),
  'The Connection header sent to the upstream.',
);

/** How a message ends, and where it goes on, is not a header's to say. */
const framing = /^(?:content-length|transfer-encoding|connection|keep-alive|upgrade|trailer|te|proxy-.*)$/i;

/** Headers of a ConfigMap for answers; what cannot be one is told of, and left out. */
function answerHeaders(
  data: ReadonlyMap<string, string>,
  tell: (message: string) => void,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of data) {
    const isHeader =
      /^[!#$%&'*+.^`|~0-9A-Za-z_-]{1,128}$/.test(name) && !framing.test(name) && name !== '__proto__';
    if (isHeader && /^[ -~]{0,4096}$/.test(value)) headers[name] = value;
    else tell(`the header ${quote(name)} cannot be set: it is left out`);
  }
  return headers;
}

/** What a host says of HSTS with every answer; null: nothing. */
export function hstsOf({ hasCertificate }: HostDraft, context: Context): NonNullable<Edits['hsts']> | null {
  if (!hasCertificate || context.setting(hsts) === false) return null;
  return {
    maxAge: context.setting(hstsMaxAge) ?? 31_536_000,
    includeSubDomains: context.setting(hstsSubdomains) !== false,
    ...(context.setting(hstsPreload) === true ? { preload: true } : {}),
  };
}

function responseOf(route: RouteDraft, context: Context): Edits {
  const edits: Edits = {};
  const { values } = context;
  const set: Record<string, string> = {};
  const everywhere = context.globalMap(addHeaders);
  if (everywhere !== null)
    Object.assign(
      set,
      answerHeaders(everywhere, (message) => context.settingError(addHeaders, message)),
    );
  const name = values.get(custom);
  const own = name === null ? null : context.configMap(custom, name);
  if (name !== null && own === null) route.deny('custom-headers names no ConfigMap');
  const allowed = new Set((context.setting(allowedHeaders) ?? []).map((one) => one.toLowerCase()));
  for (const header of own?.keys() ?? []) {
    if (allowed.has(header.toLowerCase())) continue;
    context.errorElsewhere(
      custom,
      `sets ${quote(header)}, which global-allowed-response-headers of the ConfigMap does not allow: the paths of this Ingress answer 503`,
    );
    route.deny('custom-headers sets what is not allowed');
  }
  if (own !== null)
    Object.assign(
      set,
      answerHeaders(own, (message) => context.errorElsewhere(custom, message)),
    );
  if (Object.keys(set).length > 0) edits.set = set;
  const hidden = context.setting(hideHeaders);
  if (hidden !== null) edits.remove = [...hidden];
  const strict = hstsOf(route.host, context);
  if (strict !== null) edits.hsts = strict;
  const domain = context.value(cookieDomain);
  if (domain !== null) edits.cookieDomains = [domain];
  const path = context.value(cookiePath);
  if (path !== null) edits.cookiePaths = [path];
  const location = locationRewrite(context);
  if (location !== null) edits.locations = [location];
  return edits;
}

function locationRewrite(context: Context): Replacement | null {
  const [from, to] = [context.value(redirectFrom), context.value(redirectTo)];
  if (from === null || from === 'off') return null;
  if (from === 'default' || to === null || to === 'off') {
    context.error(
      redirectFrom,
      'has no effect without proxy-redirect-to, and as `default` there is nothing to replace',
    );
    return null;
  }
  const read = replacement(from, to);
  if ('value' in read) return read.value;
  context.error(redirectFrom, `${quote(from)} ${read.problem}: it has no effect`);
  return null;
}

export const headers = family({
  name: 'headers',
  title: 'Headers and logs',
  annotations: [
    cookieDomain,
    cookiePath,
    redirectFrom,
    redirectTo,
    prefix,
    custom,
    accessLog,
    connection,
    annotation('enable-rewrite-log', flag, "Log nginx's rewriting.", {
      default: 'false',
      state: refused('there is no rewriting of nginx to log.'),
    }),
  ],
  applyRoute(values, route, context) {
    const edits = responseOf(route, context);
    if (Object.keys(edits).length > 0) route.config.response = edits;
    const sent: Record<string, string> = {};
    for (const [name, value] of context.globalMap(setHeaders) ?? []) {
      const isHeader = /^[0-9A-Za-z-]{1,128}$/.test(name) && !isReservedHeader(name.toLowerCase());
      if (isHeader && /^[ -~]{0,4096}$/.test(value) && !value.includes('$')) sent[name] = value;
      else context.settingError(setHeaders, `the header ${quote(name)} cannot be set: it is left out`);
    }
    const told = values.get(prefix);
    if (told !== null && route.config.rewrite !== undefined) sent['X-Forwarded-Prefix'] = told;
    if (Object.keys(sent).length > 0) route.config.request = { set: sent };
    const kept = values.get(connection);
    if (kept !== null) route.config.connectionHeader = kept;
    if (values.get(accessLog) === false) route.config.accessLog = false;
  },
});
