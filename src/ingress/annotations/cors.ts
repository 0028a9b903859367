import { annotation, different, type Parsed, type ValueType } from './annotation.ts';
import { family } from './family.ts';
import { flag, listType, whole } from './value-types.ts';

const origin: ValueType<string> = {
  name: 'origin',
  parse(text): Parsed<string> {
    const isOrigin =
      text.length <= 512 &&
      /^(?:\*|[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:\[[0-9A-Fa-f:.]+\]|(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(?::[0-9]{1,5})?)$/.test(
        text,
      );
    return isOrigin ? { value: text } : { problem: 'is no origin such as https://a.example' };
  },
};
const token: ValueType<string> = {
  name: 'token',
  parse(text) {
    return /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(text) ? { value: text } : { problem: 'is no name' };
  },
};
const tokens: ValueType<readonly string[]> = {
  name: 'list',
  parse(text) {
    const parsed = listType(token, 'list').parse(text);
    return 'value' in parsed && parsed.value.length > 100 ? { problem: 'has more than 100 names' } : parsed;
  },
};
const origins: ValueType<readonly string[]> = {
  name: 'origins',
  parse(text) {
    const parsed = listType(origin, 'origins').parse(text);
    return 'value' in parsed && parsed.value.length > 1000
      ? { problem: 'has more than 1000 origins' }
      : parsed;
  },
};

const enable = annotation('enable-cors', flag, 'Answer preflights (204), and say who may read answers.', {
  scope: 'ingress',
  default: 'false',
  state: different(
    'A preflight is answered before a client certificate is demanded: browsers never show one with it.',
  ),
});
const allowOrigin = annotation('cors-allow-origin', origins, 'Origins that may; `*.` stands for one label.', {
  scope: 'ingress',
  risk: 'Medium',
  default: '*',
  restricts: true,
  state: different('A list that cannot be read refuses the paths, where ingress-nginx lets every origin in.'),
});
const allowMethods = annotation('cors-allow-methods', tokens, 'Methods that may be used.', {
  scope: 'ingress',
  risk: 'Medium',
  default: 'GET, PUT, POST, DELETE, PATCH, OPTIONS',
});
const allowHeaders = annotation('cors-allow-headers', tokens, 'Headers that may be sent.', {
  scope: 'ingress',
  risk: 'Medium',
  default:
    'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization',
});
const expose = annotation('cors-expose-headers', tokens, 'Headers that may be read.', {
  scope: 'ingress',
  risk: 'Medium',
});
const credentials = annotation('cors-allow-credentials', flag, 'Whether cookies are sent.', {
  scope: 'ingress',
  default: 'true',
  state: different('Never with the origin `*`, where browsers take no notice of it.'),
});
const maxAge = annotation('cors-max-age', whole, 'Seconds that a preflight is remembered.', {
  scope: 'ingress',
  default: '1728000',
});

/** A timer of Node holds no more seconds; browsers remember for a day at most. */
const longest = 2_147_483;

export const cors = family({
  name: 'cors',
  title: 'CORS',
  annotations: [enable, allowOrigin, allowMethods, allowHeaders, expose, credentials, maxAge],
  applyRoute(values, route) {
    if (values.get(enable) !== true) return;
    const who = values.get(allowOrigin);
    const rules: NonNullable<typeof route.config.cors> = {};
    const [methods, headers, exposed] = [
      values.get(allowMethods),
      values.get(allowHeaders),
      values.get(expose),
    ];
    const [sends, age] = [values.get(credentials), values.get(maxAge)];
    if (who !== null) rules.origins = [...who];
    if (methods !== null) rules.methods = [...methods];
    if (headers !== null) rules.headers = [...headers];
    if (exposed !== null) rules.exposeHeaders = [...exposed];
    if (sends !== null) rules.credentials = sends;
    if (age !== null) rules.maxAge = `${Math.min(age, longest)}s`;
    route.config.cors = rules;
  },
});
