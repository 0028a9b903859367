import { listType, text } from '../annotations/value-types.ts';
import { different } from '../annotations/annotation.ts';
import { setting } from './setting.ts';

/** Paths below which `global-auth-url` is not asked. */
export const noAuthLocations = setting(
  'no-auth-locations',
  listType(text, 'paths'),
  'Paths of Ingresses below which `global-auth-url` is not asked.',
  {
    default: '/.well-known/acme-challenge',
    state: different("An Ingress's own `auth-url` and passwords hold there too."),
  },
);
