import { annotation, different, type Parsed, type ValueType } from './annotation.ts';
import { family, redirectTo } from './family.ts';
import { nginxTemplate } from './nginx-text.ts';
import { flag, text, whole } from './value-types.ts';

const urlType: ValueType<string> = {
  name: 'URL',
  parse(written): Parsed<string> {
    const line = text.parse(written);
    if ('problem' in line) return line;
    if (!/^(?:https?|\$scheme|\$\{scheme\}):\/\/[^/]/i.test(written))
      return { problem: 'is no http or https URL' };
    return nginxTemplate(written, 0);
  },
};

/** ingress-nginx takes 300 to 308, and its default in place of others. */
const codeType: ValueType<number> = {
  name: '300 … 308',
  parse(written) {
    const parsed = whole.parse(written);
    if ('problem' in parsed) return parsed;
    return parsed.value >= 300 && parsed.value <= 308 ? parsed : { problem: 'is no status of a redirect' };
  },
};

const variables = different(
  "Of nginx's variables only `$request_uri`, `$uri`, `$args`, `$host`, `$http_host` and `$scheme` are known; a URL with others has no effect.",
);

const permanent = annotation('permanent-redirect', urlType, 'Redirect every request there.', {
  risk: 'Medium',
  state: variables,
});
const permanentCode = annotation('permanent-redirect-code', codeType, 'With this status.', {
  default: '301',
});
const temporal = annotation(
  'temporal-redirect',
  urlType,
  'Redirect every request there, for now; goes before `permanent-redirect`.',
  { risk: 'Medium', state: variables },
);
const temporalCode = annotation('temporal-redirect-code', codeType, 'With this status.', { default: '302' });

const www = annotation(
  'from-to-www-redirect',
  flag,
  'Redirect from `www.` in front of the name to the name, or the other way round where the name has it.',
  {
    default: 'false',
    state: different('A slash at the end of the arguments is kept, where ingress-nginx cuts it off.'),
  },
);

export const redirects = family({
  name: 'redirects',
  title: 'Redirects',
  annotations: [permanent, permanentCode, temporal, temporalCode, www],
  applyHost(values, host) {
    if (values.get(www) === true) host.hasTwin = true;
  },
  applyRoute(values, route) {
    const [soon, ever] = [values.get(temporal), values.get(permanent)];
    if (soon !== null) redirectTo(route, soon, values.get(temporalCode) ?? 302);
    else if (ever !== null) redirectTo(route, ever, values.get(permanentCode) ?? 301);
  },
});
