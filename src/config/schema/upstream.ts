import { Type } from 'typebox';
import { Duration, FilePath, RoutePath, strict } from './value.ts';

const TlsVersion = Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')]);

const UpstreamTls = Type.Object(
  {
    ca: Type.Optional(FilePath),
    serverName: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Sent as SNI and verified. Default: the endpoint's own name.",
      }),
    ),
    sendServerName: Type.Optional(
      Type.Boolean({ description: 'false: verify the name, but send no SNI. Default true.' }),
    ),
    minVersion: Type.Optional(TlsVersion),
    maxVersion: Type.Optional(TlsVersion),
    ciphers: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        maxItems: 64,
        description: 'Cipher suites by the names of OpenSSL or, of TLS 1.3, TLS.',
      }),
    ),
    cert: Type.Optional(FilePath),
    key: Type.Optional(FilePath),
    dangerouslySkipVerification: Type.Optional(
      Type.Boolean({
        description: 'Accept any certificate from the backend. Anyone on the way can read along.',
      }),
    ),
  },
  strict,
);

const Health = Type.Object(
  {
    path: RoutePath,
    host: Type.Optional(Type.String({ minLength: 1 })),
    interval: Type.Optional(Duration),
    timeout: Type.Optional(Duration),
    healthyAfter: Type.Optional(Type.Integer({ minimum: 1 })),
    unhealthyAfter: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  strict,
);

const HashBalance = Type.Object(
  {
    hash: Type.String({
      minLength: 1,
      maxLength: 1024,
      description:
        'The key: text with {path}, {query}, {uri}, {host}, {address}, {header:NAME}, {cookie:NAME}, {arg:NAME}, and of a verified client certificate {cn}, {subject}, {fingerprint}, {spki}. Without any of it requests take turns.',
      examples: ['{uri}'],
    }),
    subset: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'A key leads to so many endpoints, to one of them at random. Default 1.',
      }),
    ),
  },
  strict,
);

/** A named group of endpoints. */
export const Upstream = Type.Object(
  {
    endpoints: Type.Array(
      Type.String({
        pattern: '^(\\[[0-9a-fA-F:.]+\\]|[^:\\[\\]/]+):[0-9]{1,5}$',
        description: 'address:port, with brackets around an IPv6 address',
        examples: ['127.0.0.1:8000'],
      }),
      { description: 'Endpoints as address:port. None: every request is answered 503.' },
    ),
    balance: Type.Optional(
      Type.Union(
        [Type.Literal('round_robin'), Type.Literal('least_connections'), Type.Literal('ewma'), HashBalance],
        {
          description:
            'Whose turn it is. ewma: of two at random, whoever answered faster lately. hash: the same endpoint for the same key.',
        },
      ),
    ),
    tls: Type.Optional(UpstreamTls),
    health: Type.Optional(Health),
    ejection: Type.Optional(
      Type.Object(
        {
          failures: Type.Optional(Type.Integer({ minimum: 1 })),
          duration: Type.Optional(Duration),
          maxDuration: Type.Optional(Duration),
        },
        strict,
      ),
    ),
    tries: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })),
    keepAlive: Type.Optional(
      Type.Object(
        {
          connections: Type.Optional(Type.Integer({ minimum: 1 })),
          timeout: Type.Optional(Duration),
        },
        strict,
      ),
    ),
  },
  strict,
);
