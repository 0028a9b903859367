import { Type } from 'typebox';
import { Duration, strict } from './value.ts';

const Port = Type.Integer({ minimum: 0, maximum: 65535, description: '0 lets the system pick a free port.' });

const ProxyProtocol = Type.Object(
  {
    trusted: Type.Array(Type.String(), {
      minItems: 1,
      maxItems: 1024,
      description:
        'Addresses and ranges of the proxies in front. Each connection of theirs has to open with a PROXY header, and the address in it is believed.',
      examples: [['10.0.0.0/8']],
    }),
    timeout: Type.Optional(Duration),
  },
  { ...strict, description: 'The PROXY protocol, versions 1 and 2.' },
);

const AdminListener = Type.Object({ address: Type.Optional(Type.String()), port: Port }, strict);

const HttpsListener = Type.Object(
  { address: Type.Optional(Type.String()), port: Port, proxyProtocol: Type.Optional(ProxyProtocol) },
  strict,
);

const HttpListener = Type.Object(
  {
    address: Type.Optional(Type.String()),
    port: Port,
    proxyProtocol: Type.Optional(ProxyProtocol),
    redirectPort: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65535,
        description: 'The port written into the redirect to https.',
      }),
    ),
  },
  strict,
);

/** The addresses that the program accepts on. */
export const Listeners = Type.Object(
  {
    https: HttpsListener,
    http: Type.Optional(HttpListener),
    admin: Type.Optional(AdminListener),
    reusePort: Type.Optional(
      Type.Boolean({
        description:
          'Let another instance of the same user listen beside this one, so that it can take over without a gap. Both need it. Default false.',
      }),
    ),
  },
  strict,
);
