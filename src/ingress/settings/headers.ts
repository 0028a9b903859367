import { listType, qualifiedName } from '../annotations/value-types.ts';
import { different, type ValueType } from '../annotations/annotation.ts';
import { setting } from './setting.ts';

const headerName: ValueType<string> = {
  name: 'header',
  parse(written) {
    return /^[!#$%&'*+.^`|~0-9A-Za-z_-]{1,128}$/.test(written)
      ? { value: written }
      : { problem: 'is no header' };
  },
};

/** Headers of every answer and of every request to an upstream. */
export const addHeaders = setting(
  'add-headers',
  qualifiedName,
  'A ConfigMap of headers that answers get.',
  {},
);
export const setHeaders = setting(
  'proxy-set-headers',
  qualifiedName,
  'A ConfigMap of headers that upstreams get.',
  { state: different('Variables are refused, and so are headers that the proxy sets itself.') },
);
export const hideHeaders = setting(
  'hide-headers',
  listType(headerName, 'headers'),
  'Headers of upstreams that clients do not get.',
);
export const allowedHeaders = setting(
  'global-allowed-response-headers',
  listType(headerName, 'headers'),
  'The headers that `custom-headers` may set.',
);
export const headerSettings = [addHeaders, setHeaders, hideHeaders, allowedHeaders];
