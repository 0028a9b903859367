import type { RouteConfig } from '../../config/schema.ts';
import { readRegex } from '../../policy/regex.ts';
import { annotation, different, type ValueType } from './annotation.ts';
import { family } from './family.ts';
import { flag, text, whole } from './value-types.ts';
import type { AnnotationValues } from './values.ts';

const headerName: ValueType<string> = {
  name: 'header',
  parse(written) {
    return /^[0-9A-Za-z-]{1,128}$/.test(written) ? { value: written } : { problem: 'is no name of a header' };
  },
};
const cookieName: ValueType<string> = {
  name: 'cookie name',
  parse(written) {
    return /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(written)
      ? { value: written }
      : { problem: 'is no name of a cookie' };
  },
};
const valueType: ValueType<string> = {
  name: 'text',
  parse(written) {
    return written.length <= 1024 ? text.parse(written) : { problem: 'is longer than 1024 characters' };
  },
};
const patternType: ValueType<string> = {
  name: 'regular expression',
  parse(written) {
    const line = text.parse(written);
    if ('problem' in line) return line;
    const regex = readRegex(written, false);
    return 'problem' in regex ? { problem: `is ${regex.problem}` } : { value: written };
  },
};

const ingress = { scope: 'ingress' } as const;
const medium = { scope: 'ingress', risk: 'Medium' } as const;

/** Its Ingresses claim nothing for themselves. */
export const canary = annotation('canary', flag, 'This Ingress is an alternative for paths of another.', {
  ...ingress,
  default: 'false',
});
const header = annotation(
  'canary-by-header',
  headerName,
  'The header that decides: `always` or `never`.',
  medium,
);
const headerValue = annotation('canary-by-header-value', valueType, 'Its value that means yes.', medium);
const headerPattern = annotation(
  'canary-by-header-pattern',
  patternType,
  'A regular expression for such values.',
  {
    ...medium,
    state: different('RE2 in place of PCRE.'),
  },
);
const cookie = annotation(
  'canary-by-cookie',
  cookieName,
  'The cookie that decides: `always` or `never`.',
  medium,
);
const weight = annotation('canary-weight', whole, 'The share of all other requests.', {
  ...ingress,
  default: '0',
});
const weightTotal = annotation('canary-weight-total', whole, 'What the share is of.', {
  ...ingress,
  default: '100',
});

type Canary = Omit<NonNullable<RouteConfig['canary']>[number], 'upstream'>;

/** Which requests go to a canary; null where something in it cannot be read, and none do. */
export function canaryRule(values: AnnotationValues): Canary | null {
  const all = [header, headerValue, headerPattern, cookie, weight, weightTotal];
  if (all.some((one) => values.has(one) && values.get<unknown>(one) === null)) return null;
  const name = values.get(header);
  const [value, pattern] = [values.get(headerValue), values.get(headerPattern)];
  const total = Math.min(Math.max(values.get(weightTotal) ?? 100, 1), 1_000_000);
  return {
    ...(name === null
      ? {}
      : {
          header: name,
          ...(value !== null ? { headerValue: value } : pattern !== null ? { headerPattern: pattern } : {}),
        }),
    ...some('cookie', values.get(cookie)),
    weight: Math.min(values.get(weight) ?? 0, total),
    weightTotal: total,
  };
}

function some<Key extends string>(key: Key, value: string | null): { [one in Key]?: string } {
  return value === null ? {} : ({ [key]: value } as { [one in Key]?: string });
}

export const canaries = family({
  name: 'canary',
  title: 'Canary',
  annotations: [canary, header, headerValue, headerPattern, cookie, weight, weightTotal],
});
