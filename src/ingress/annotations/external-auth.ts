import { quote } from '../../config/text.ts';
import { isReservedHeader, isReservedInQuestion } from '../../proxy/headers/request.ts';
import { compileKeyTemplate } from '../../snapshot/key-template.ts';
import { normaliseHostName } from '../../snapshot/host-name.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { isThisMachine } from '../endpoints.ts';
import { noAuthLocations } from '../settings/access.ts';
import {
  type Annotation,
  annotation,
  different,
  type Parsed,
  refused,
  type ValueType,
} from './annotation.ts';
import { type Context, family, type RouteDraft } from './family.ts';
import { nginxHeaderValue, nginxKey, nginxTemplate } from './nginx-text.ts';
import {
  flag,
  listType,
  objectName,
  type ObjectName,
  oneOf,
  seconds,
  snippet,
  whole,
} from './value-types.ts';

interface Asked {
  readonly scheme: 'http' | 'https';
  /** Normalised. */
  readonly host: string;
  readonly port: number;
  /** A template. */
  readonly target: string;
}

const urlType: ValueType<Asked> = {
  name: 'URL',
  parse(written): Parsed<Asked> {
    const match = /^(https?):\/\/(\[[0-9A-Fa-f:.]+\]|[^/:?#@[\]]+)(?::([0-9]{1,5}))?(\/[^#]*|\?[^#]*)?$/.exec(
      written,
    );
    if (match === null) return { problem: 'is no http or https URL' };
    const [, scheme, name, digits, rest = '/'] = match;
    const host = normaliseHostName(name!);
    if (host === null) return { problem: 'names no host: variables can stand in the path only' };
    const port = digits === undefined ? (scheme === 'https' ? 443 : 80) : Number(digits);
    if (port < 1 || port > 65535) return { problem: 'has a port that is none' };
    const target = nginxTemplate(rest.startsWith('/') ? rest : `/${rest}`, 0);
    if ('problem' in target) return target;
    return { value: { scheme: scheme as Asked['scheme'], host, port, target: target.value } };
  },
};

const signinType: ValueType<string> = {
  name: 'URL',
  parse(written) {
    // What oauth2-proxy's documentation writes; the argument is added here anyway.
    const bare = written.replace(/[?&]rd=(?:\$scheme:\/\/\$(?:http_)?host)?\$(?:escaped_)?request_uri$/, '');
    return /^(?:https?|\$scheme|\$\{scheme\}):\/\/[^/]/.test(bare) || /^\/(?!\/)/.test(bare)
      ? nginxTemplate(bare, 0)
      : { problem: 'is no http or https URL, and no path' };
  },
};
const templateType: ValueType<string> = { name: 'text', parse: (written) => nginxTemplate(written, 0) };
const headerName: ValueType<string> = {
  name: 'header',
  parse(written) {
    if (!/^[0-9A-Za-z-]{1,128}$/.test(written)) return { problem: 'is no name of a header' };
    return isReservedHeader(written.toLowerCase())
      ? { problem: 'is set by the proxy itself, from what it knows of the client' }
      : { value: written };
  },
};
const headerNames: ValueType<readonly string[]> = {
  name: 'headers',
  parse(written) {
    const parsed = listType(headerName, 'headers').parse(written);
    return 'value' in parsed && parsed.value.length > 64 ? { problem: 'has more than 64 headers' } : parsed;
  },
};
const parameterType: ValueType<string> = {
  name: 'name',
  parse(written) {
    return /^[A-Za-z0-9._~-]{1,64}$/.test(written)
      ? { value: written }
      : { problem: 'is no name of an argument' };
  },
};

const medium = { risk: 'Medium' } as const;
const url = annotation(
  'auth-url',
  urlType,
  'Whom to ask whether a request may pass: 2xx lets it in, 401 and 403 do not.',
  {
    risk: 'High',
    restricts: true,
    global: 'global-auth-url',
    state: different('Variables only in the path and the arguments.'),
  },
);
const method = annotation(
  'auth-method',
  oneOf('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
  'The method to ask by.',
  { global: 'global-auth-method', default: 'GET' },
);
const signin = annotation('auth-signin', signinType, 'Where to send those who may not (302).', {
  risk: 'High',
  global: 'global-auth-signin',
  state: different('The argument with the way back always has scheme and host, and all of it is escaped.'),
});
const parameter = annotation('auth-signin-redirect-param', parameterType, 'The argument with the way back.', {
  ...medium,
  default: 'rd',
  global: 'global-auth-signin-redirect-param',
});
const responseHeaders = annotation(
  'auth-response-headers',
  headerNames,
  'Headers of the answer that the upstream gets.',
  {
    ...medium,
    global: 'global-auth-response-headers',
    state: different('Not those that say who the client is by its certificate.'),
  },
);
const redirect = annotation('auth-request-redirect', templateType, 'The value of X-Auth-Request-Redirect.', {
  ...medium,
  global: 'global-auth-request-redirect',
});
const setCookie = annotation('auth-always-set-cookie', flag, 'Pass Set-Cookie on with every status.', {
  state: different('Those of an answer that lets in are passed on whatever the upstream answers.'),
  default: 'false',
  global: 'global-auth-always-set-cookie',
});
const enableGlobal = annotation(
  'enable-global-auth',
  flag,
  "Whether the ConfigMap's `global-auth-url` is asked.",
  {
    default: 'true',
  },
);

const keyType: ValueType<string> = {
  name: 'text with variables',
  parse(written) {
    const key = nginxKey(written);
    if ('problem' in key) return key;
    const compiled = compileKeyTemplate(key.value);
    return 'problem' in compiled ? { problem: `is no key: ${compiled.problem}` } : key;
  },
};
const setHeaders = annotation('auth-proxy-set-headers', objectName, 'A ConfigMap of headers to ask with.', {
  ...medium,
  restricts: true,
  state: different(
    "Of nginx's variables those that `auth-url` may hold. A header that the proxy sets itself, or that cannot be set, refuses the paths.",
  ),
});
const mostHeaders = 64;

/** Null, with the problem told and the paths denied, where the service would judge without what it needs. */
function questionHeaders(
  name: ObjectName,
  route: RouteDraft,
  context: Context,
): Readonly<Record<string, string>> | null {
  const refuse = (message: string): null => {
    context.errorElsewhere(setHeaders, `${message}: the paths of this Ingress answer 503`);
    route.deny('auth-proxy-set-headers cannot be used');
    return null;
  };
  const data = context.configMap(setHeaders, name);
  if (data === null) {
    route.deny('auth-proxy-set-headers names no ConfigMap');
    return null;
  }
  if (data.size > mostHeaders) return refuse(`has more than ${mostHeaders} headers`);
  const headers = new Map<string, readonly [name: string, value: string]>();
  for (const [header, written] of data) {
    const lower = header.toLowerCase();
    if (!/^[0-9A-Za-z-]{1,128}$/.test(header)) return refuse(`sets ${quote(header)}, which is no header`);
    if (isReservedInQuestion(lower)) return refuse(`sets ${quote(header)}, which is set by the proxy itself`);
    if (headers.has(lower)) return refuse(`sets ${quote(header)} twice`);
    const value = nginxHeaderValue(written);
    if ('problem' in value) return refuse(`sets ${quote(header)} to what ${value.problem}`);
    headers.set(lower, [header, value.value]);
  }
  return Object.fromEntries(headers.values());
}

const cacheKey = annotation(
  'auth-cache-key',
  keyType,
  'What answers are remembered by, beside the client certificate.',
  {
    ...medium,
    global: 'global-auth-cache-key',
    state: different('Variables as in `upstream-hash-by`; with others every request is asked about.'),
  },
);
const secondsOf: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  M: 2_592_000,
  y: 31_536_000,
};
/** What nginx's proxy_cache_valid means where only a time is written. */
const unsaid: readonly string[] = Object.freeze(['200', '301', '302']);

/** nginx's statuses and a time, several with commas: of a status the first time counts. By status. */
const durationType: ValueType<Readonly<Record<string, string>>> = {
  name: 'statuses time, …',
  parse(written) {
    const durations = new Map<string, string>();
    for (const entry of written.split(',').map((part) => part.trim())) {
      if (entry === '') continue;
      const match = /^((?:[2-5][0-9]{2} +){0,16})([0-9]{1,6})(ms|[smhdwMy])$/.exec(entry);
      if (match === null)
        return { problem: 'is not statuses and a time, such as 200 202 5m, and more of them after commas' };
      const seconds = Number(match[2]) * secondsOf[match[3]!]!;
      const named = match[1]!.trim();
      for (const status of named === '' ? unsaid : named.split(/ +/)) {
        if (!durations.has(status)) durations.set(status, `${Math.min(Math.floor(seconds), 86_400)}s`);
      }
    }
    if (durations.size === 0) return { problem: 'has no time' };
    if (durations.size > 64) return { problem: 'has more than 64 statuses' };
    return { value: Object.fromEntries(durations) };
  },
};
const cacheDuration = annotation('auth-cache-duration', durationType, 'How long they are, by status.', {
  ...medium,
  default: '200 202 401 5m',
  global: 'global-auth-cache-duration',
  state: different('A day at most, and in whole seconds.'),
});
const pooled = different('Connections are kept as to any upstream.');

export const externalAuth = family({
  name: 'external-auth',
  title: 'External authentication',
  annotations: [
    url,
    method,
    signin,
    parameter,
    responseHeaders,
    redirect,
    setCookie,
    enableGlobal,
    setHeaders,
    cacheKey,
    cacheDuration,
    annotation('auth-keepalive', whole, 'Idle connections kept.', { default: '0', state: pooled }),
    annotation('auth-keepalive-requests', whole, 'Requests on one connection.', {
      default: '1000',
      state: pooled,
    }),
    annotation('auth-keepalive-timeout', seconds, 'How long they are kept.', {
      default: '60',
      state: pooled,
    }),
    annotation('auth-keepalive-share-vars', flag, "Share nginx's variables with the request.", {
      default: 'false',
      state: different('There are none to share.'),
    }),
    annotation('auth-snippet', snippet, 'Raw nginx configuration for the request.', {
      risk: 'Critical',
      restricts: true,
      global: 'global-auth-snippet',
      state: refused('it is raw nginx configuration, and there is no nginx here.'),
    }),
  ],
  applyRoute(values, route, context) {
    const isOwn = values.has(url);
    if (!isOwn) {
      const free = context.setting(noAuthLocations) ?? ['/.well-known/acme-challenge'];
      if (values.get(enableGlobal) === false || free.some((path) => route.match.path.startsWith(path)))
        return;
    }
    // The global service has its own companions.
    const read = <Value>(one: Annotation<Value>): Value | null =>
      isOwn ? values.get(one) : context.global(one);
    const service = read(url);
    if (service === null) return;
    const { scheme, host, port, target } = service;
    const to = read(signin);
    const [how, names, back, argument] = [
      read(method),
      read(responseHeaders),
      read(redirect),
      read(parameter),
    ];
    const [key, time] = [read(cacheKey), read(cacheDuration)];
    const called = isOwn ? values.get(setHeaders) : null;
    const headers = called === null ? {} : questionHeaders(called, route, context);
    if (headers === null) return;
    const external: NonNullable<NonNullable<RouteConfig['access']>['external']> = {
      upstream: context.externalUpstream(scheme, host, port),
      target,
      host: host.includes(':') ? `[${host}]` : host,
      ...(how === null ? {} : { method: how }),
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
      ...(names === null ? {} : { responseHeaders: [...names] }),
      ...(to === null ? {} : { signin: to }),
      ...(argument === null ? {} : { signinParameter: argument }),
      ...(back === null ? {} : { redirect: back }),
      ...(key === null
        ? {}
        : {
            cache: {
              key,
              ...(time === null ? {} : { durations: { ...time } }),
            },
          }),
      ...(read(setCookie) === true ? { alwaysSetCookie: true } : {}),
    };
    if (isThisMachine(host)) {
      context.error(
        url,
        `${quote(host)} is this machine itself, which is refused: the paths of this Ingress answer 503`,
      );
      route.deny('auth-url is this machine itself');
      return;
    }
    route.config.access = { ...route.config.access, external };
  },
});
