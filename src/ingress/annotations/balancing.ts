import { compileKeyTemplate } from '../../snapshot/key-template.ts';
import { annotation, different, type ValueType } from './annotation.ts';
import { family } from './family.ts';
import { nginxKey } from './nginx-text.ts';
import { flag, oneOf, whole } from './value-types.ts';

const keyType: ValueType<string> = {
  name: 'text with variables',
  parse(written) {
    const key = nginxKey(written);
    if ('problem' in key) return key;
    const compiled = compileKeyTemplate(key.value);
    return 'problem' in compiled ? { problem: `is no key: ${compiled.problem}` } : key;
  },
};

const method = annotation('load-balance', oneOf('round_robin', 'ewma'), 'How endpoints are chosen.', {
  default: 'round_robin',
  global: true,
});
const hashBy = annotation(
  'upstream-hash-by',
  keyType,
  'Choose by the hash of this; goes before `load-balance`.',
  {
    risk: 'High',
    state: different(
      'Of variables `$request_uri`, `$uri`, `$args`, `$host`, `$remote_addr`, `$ssl_client_s_dn`, `$http_…`, `$cookie_…` and `$arg_…`. Other endpoints come out for a key.',
    ),
  },
);
const bySubset = annotation(
  'upstream-hash-by-subset',
  flag,
  'By hash to a few endpoints, and to one of them at random.',
  {
    default: 'false',
  },
);
const subsetSize = annotation('upstream-hash-by-subset-size', whole, 'How many.', {
  default: '3',
  state: different('At most 1000.'),
});

export const balancing = family({
  name: 'balancing',
  title: 'Load balancing',
  annotations: [method, hashBy, bySubset, subsetSize],
  applyRoute(values, route, context) {
    const hash = values.get(hashBy);
    const chosen = context.value(method);
    if (hash !== null) {
      const size =
        values.get(bySubset) === true ? Math.min(Math.max(values.get(subsetSize) ?? 3, 1), 1000) : null;
      route.upstream.balance = { hash, ...(size === null ? {} : { subset: size }) };
    } else if (chosen === 'ewma') route.upstream.balance = 'ewma';
  },
});
