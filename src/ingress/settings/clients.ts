import { different, refused } from '../annotations/annotation.ts';
import { flag, oneOf, ranges, seconds, text, texts } from '../annotations/value-types.ts';
import { setting } from './setting.ts';

/** Who a client is: whose word about its address is taken, and who is refused whatever its path. */
export const useForwardedHeaders = setting(
  'use-forwarded-headers',
  flag,
  'Believe the X-Forwarded-* headers of the proxies in `proxy-real-ip-cidr`: without that key, of everyone, with a warning.',
  {
    default: 'false',
    state: different(
      'Scheme, host and port are believed of nobody else either, of a list the last, and the port goes with the scheme. Host and redirects keep the name whose rules the request was held against.',
    ),
  },
);
export const enableRealIp = setting(
  'enable-real-ip',
  flag,
  'Take the address of the client out of X-Forwarded-For, as said in `proxy-real-ip-cidr`.',
  {
    default: 'false',
    state: different('Believes scheme, host and port too, as `use-forwarded-headers`.'),
  },
);
export const computeFullForwardedFor = setting(
  'compute-full-forwarded-for',
  flag,
  "Append the proxy's address to X-Forwarded-For in place of replacing it.",
  { default: 'false' },
);
export const forwardedForHeader = setting(
  'forwarded-for-header',
  oneOf('X-Forwarded-For', 'x-forwarded-for'),
  'The header that the address of the client stands in.',
  {
    default: 'X-Forwarded-For',
    restricts: true,
    state: different(
      'Only X-Forwarded-For is read; with another one nothing is served, since addresses would be wrong.',
    ),
  },
);
export const useProxyProtocol = setting(
  'use-proxy-protocol',
  flag,
  'Every connection opens with a PROXY header (versions 1 and 2).',
  {
    default: 'false',
    restricts: true,
    state: different(
      'Its destination port counts for nothing: 443 there makes no https of plain HTTP, and X-Forwarded-Port is that of the listener.',
    ),
  },
);
export const proxyProtocolTimeout = setting(
  'proxy-protocol-header-timeout',
  seconds,
  'How long that header may take.',
  { default: '5s' },
);
export const realIpCidr = setting('proxy-real-ip-cidr', ranges, 'The proxies in front that are believed.', {
  default: '0.0.0.0/0',
  restricts: true,
});
export const blockCidrs = setting('block-cidrs', ranges, 'Networks that get 403 everywhere.', {
  restricts: true,
});
const unread = refused(
  "not supported in this version: these headers are anyone's to choose, and keep nobody out.",
);

export const clients = [
  useForwardedHeaders,
  enableRealIp,
  computeFullForwardedFor,
  forwardedForHeader,
  useProxyProtocol,
  proxyProtocolTimeout,
  realIpCidr,
  blockCidrs,
  setting('block-user-agents', texts, 'User agents that get 403.', { restricts: true, state: unread }),
  setting('block-referers', texts, 'Referers that get 403.', { restricts: true, state: unread }),
  setting('enable-underscores-in-headers', flag, 'Pass headers with `_` in their names on.', {
    default: 'false',
    state: refused(
      'such headers are always dropped: backends take `_` for `-`, and could be told a forged identity.',
    ),
  }),
  setting('ignore-invalid-headers', flag, 'Drop headers with odd names.', {
    default: 'true',
    state: refused('a request with a malformed header is always refused.'),
  }),
  setting('proxy-add-original-uri-header', flag, 'Send X-Original-URI to the upstream.', {
    default: 'false',
    state: refused('not supported in this version.'),
  }),
  setting('generate-request-id', flag, 'Make an X-Request-ID where the client sends none.', {
    default: 'true',
    state: refused('it is always made.'),
  }),
  setting('limit-conn-zone-variable', text, 'What limits are counted by.', {
    default: '$binary_remote_addr',
    state: refused('limits are counted by the address of the client.'),
  }),
];
