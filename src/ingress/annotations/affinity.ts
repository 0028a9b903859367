import { annotation, type Parsed, type ValueType } from './annotation.ts';
import { family } from './family.ts';
import { flag, integer, oneOf } from './value-types.ts';

const cookieName: ValueType<string> = {
  name: 'cookie name',
  parse(text) {
    return /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(text)
      ? { value: text }
      : { problem: 'is no name of a cookie' };
  },
};
const cookiePath: ValueType<string> = {
  name: 'path',
  parse(text): Parsed<string> {
    return /^\/[!-:<-~]{0,1000}$/.test(text)
      ? { value: text }
      : { problem: 'is no path that a cookie can have' };
  },
};
const cookieDomain: ValueType<string> = {
  name: 'domain',
  parse(text) {
    return /^[0-9A-Za-z.-]{1,253}$/.test(text) ? { value: text } : { problem: 'is no domain' };
  },
};

const ingress = { scope: 'ingress' } as const;
const medium = { scope: 'ingress', risk: 'Medium' } as const;

const affinityType = annotation(
  'affinity',
  oneOf('cookie'),
  'Keep a client at its endpoint, by a cookie.',
  ingress,
);
const mode = annotation(
  'affinity-mode',
  oneOf('balanced', 'persistent'),
  'Whether clients are spread anew over more endpoints.',
  { ...medium, default: 'balanced' },
);
const canary = annotation(
  'affinity-canary-behavior',
  oneOf('sticky', 'legacy'),
  'Whether that holds for canaries too.',
  {
    ...ingress,
    default: 'sticky',
  },
);
const name = annotation('session-cookie-name', cookieName, "The cookie's name.", {
  ...medium,
  default: 'INGRESSCOOKIE',
});
const path = annotation(
  'session-cookie-path',
  cookiePath,
  "The cookie's Path; else the path, or / for a regular expression.",
  medium,
);
const domain = annotation('session-cookie-domain', cookieDomain, "The cookie's Domain.", medium);
const sameSite = annotation(
  'session-cookie-samesite',
  oneOf('None', 'Lax', 'Strict'),
  "The cookie's SameSite.",
  ingress,
);
const secure = annotation(
  'session-cookie-secure',
  flag,
  "The cookie's Secure, whatever the scheme.",
  ingress,
);
const maxAge = annotation('session-cookie-max-age', integer, "The cookie's Max-Age, in seconds.", medium);
const expires = annotation(
  'session-cookie-expires',
  integer,
  "The cookie's Expires, in seconds from now.",
  medium,
);
const change = annotation('session-cookie-change-on-failure', flag, 'A new cookie when the endpoint fails.', {
  ...ingress,
  default: 'false',
});
const conditional = annotation(
  'session-cookie-conditional-samesite-none',
  flag,
  'Leave SameSite=None out for browsers that do not know it.',
  { ...ingress, default: 'false' },
);
const partitioned = annotation('session-cookie-partitioned', flag, "The cookie's Partitioned.", {
  ...ingress,
  default: 'false',
});

export const affinity = family({
  name: 'affinity',
  title: 'Session affinity',
  annotations: [
    affinityType,
    mode,
    canary,
    name,
    path,
    domain,
    sameSite,
    secure,
    maxAge,
    expires,
    change,
    conditional,
    partitioned,
  ],
  applyRoute(values, route) {
    if (values.get(affinityType) === null) return;
    const [howLong, until] = [values.get(maxAge), values.get(expires)];
    route.config.affinity = present({
      mode: values.get(mode),
      canary: values.get(canary),
      cookie: values.get(name),
      path: values.get(path),
      domain: values.get(domain),
      sameSite: values.get(sameSite),
      secure: values.get(secure),
      // A negative time is none.
      maxAge: howLong === null || howLong < 0 ? null : howLong,
      expires: until === null || until < 0 ? null : until,
      changeOnFailure: values.get(change),
      conditionalSameSiteNone: values.get(conditional),
      partitioned: values.get(partitioned),
    });
  },
});

type Present<Type> = { [Key in keyof Type]?: NonNullable<Type[Key]> };

/** Without what is null. */
function present<Type extends object>(value: Type): Present<Type> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null)) as Present<Type>;
}
