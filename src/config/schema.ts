import { Type, type Static, type TSchema } from 'typebox';

/**
 * The native configuration, declared once: the TypeScript types, the JSON Schema in
 * `config/mtls-ingress.schema.json` and the checks of `mtls-ingress check` all come from here.
 * Numbers default to ingress-nginx's (nginx's where it has none); see `src/config/defaults.ts`.
 */

const strict = { additionalProperties: false };

/** `500ms`, `60s`, `5m`, `1h`. Read by `parseDuration` in units.ts. */
export const Duration = Type.String({
  pattern: '^[0-9]+(ms|s|m|h)$',
  description: 'A length of time: a whole number and a unit, one of ms, s, m, h.',
  examples: ['60s'],
});

/** Bytes as nginx writes them: `8k`, `1m`, `1g`, `0` for no limit. Read by `parseSize` in units.ts. */
export const Size = Type.String({
  pattern: '^[0-9]+[kmg]?$',
  description: 'A number of bytes, with k, m or g for 1024, 1024², 1024³; "0" for no limit.',
  examples: ['1m'],
});

const FilePath = Type.String({ minLength: 1, description: 'A file, relative to the configuration file.' });

/** One value, `*` for any run of characters (anchored), or `{ regex: … }`: anchored, linear time (RE2). */
export const ValueMatcher = Type.Union([
  Type.String({ minLength: 1 }),
  Type.Object({ regex: Type.String({ minLength: 1 }) }, strict),
  Type.Object({ exact: Type.String({ minLength: 1 }) }, strict),
]);
export type ValueMatcher = Static<typeof ValueMatcher>;

/** A single matcher, or a list of which any may match. An empty list matches nothing. */
export const Matcher = Type.Union([ValueMatcher, Type.Array(ValueMatcher)]);
export type Matcher = Static<typeof Matcher>;

/**
 * A map with free keys. Without `additionalProperties: false` a key that misses the pattern would pass with
 * whatever value it has.
 */
function record<Value extends TSchema>(
  keys: { pattern: string; description: string },
  value: Value,
  options = {},
) {
  return Type.Record(Type.String({ pattern: keys.pattern }), value, {
    ...strict,
    propertyNames: { description: keys.description },
    ...options,
  });
}

const AttributeMatchers = record(
  {
    pattern: '^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\\.[0-9]+)+)$',
    description:
      'an attribute by its short name (C, ST, L, O, OU, CN, emailAddress, serialNumber, …) or dotted OID',
  },
  Matcher,
  { minProperties: 1 },
);

const matcherFields = {
  cn: Type.Optional(Matcher),
  ou: Type.Optional(Matcher),
  o: Type.Optional(Matcher),
  subject: Type.Optional(
    Type.Union([Matcher, AttributeMatchers], {
      description: 'The whole subject in RFC 2253 form, or a map of attributes.',
    }),
  ),
  issuer: Type.Optional(
    Type.Union([Matcher, AttributeMatchers], {
      description: 'The whole issuer in RFC 2253 form, or a map of attributes.',
    }),
  ),
  dns: Type.Optional(Matcher),
  uri: Type.Optional(Matcher),
  email: Type.Optional(Matcher),
  ip: Type.Optional(Matcher),
  serial: Type.Optional(Matcher),
  fingerprint: Type.Optional(Matcher),
  spki: Type.Optional(Matcher),
};

/**
 * Rules over an identity. Several keys in one object must all hold.
 * Written out as an interface because it refers to itself.
 */
export interface PolicyConfig extends Static<typeof PolicyFields> {
  all?: PolicyConfig[];
  any?: PolicyConfig[];
  not?: PolicyConfig;
}
const PolicyFields = Type.Object(matcherFields, strict);

const PolicyRef = Type.Unsafe<PolicyConfig>(Type.Ref('Policy'));

const PolicySchema = Type.Object(
  {
    ...matcherFields,
    all: Type.Optional(Type.Array(Type.Ref('Policy'))),
    any: Type.Optional(Type.Array(Type.Ref('Policy'))),
    not: Type.Optional(Type.Ref('Policy')),
  },
  { ...strict, minProperties: 1, description: 'Rules over the client identity; every key must hold.' },
);

const Port = Type.Integer({ minimum: 0, maximum: 65535, description: '0 lets the system pick a free port.' });

const Listener = Type.Object({ address: Type.Optional(Type.String()), port: Port }, strict);

const HttpListener = Type.Object(
  {
    address: Type.Optional(Type.String()),
    port: Port,
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

export const ClientAuthMode = Type.Union([
  Type.Literal('require'),
  Type.Literal('optional'),
  Type.Literal('optional_no_ca'),
  Type.Literal('off'),
]);
export type ClientAuthMode = Static<typeof ClientAuthMode>;

const ClientAuth = Type.Object(
  {
    mode: ClientAuthMode,
    strict: Type.Optional(
      Type.Boolean({ description: 'Abort the handshake instead of answering 400. Needs mode require.' }),
    ),
    ca: Type.Optional(FilePath),
    crl: Type.Optional(FilePath),
    verifyDepth: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10,
        description: 'Intermediates allowed between the client certificate and the trust anchor.',
      }),
    ),
  },
  strict,
);

export const Dialect = Type.Union([
  Type.Literal('nginx'),
  Type.Literal('xfcc'),
  Type.Literal('rfc9440'),
  Type.Literal('traefik'),
  Type.Literal('haproxy'),
]);
export type Dialect = Static<typeof Dialect>;

const IdentityHeaders = Type.Object(
  {
    dialects: Type.Optional(Type.Array(Dialect)),
    certificate: Type.Optional(
      Type.Boolean({ description: 'Also send the certificate itself (ssl-client-cert and its like).' }),
    ),
    templates: Type.Optional(
      record(
        {
          pattern: "^[!#$%&'*+.^`|~0-9A-Za-z-]{1,128}$",
          description: 'a header name: letters, digits and -, and no _, which backends take for -',
        },
        Type.String({ description: 'Text with {cn}, {ou}, {subject}, {serial}, {fingerprint}, …' }),
      ),
    ),
  },
  strict,
);

const RouteTimeouts = Type.Object(
  { connect: Type.Optional(Duration), send: Type.Optional(Duration), read: Type.Optional(Duration) },
  strict,
);

const RoutePath = Type.String({ pattern: '^/', description: 'A path that starts with /.' });

const Route = Type.Object(
  {
    path: RoutePath,
    pathType: Type.Optional(Type.Union([Type.Literal('Exact'), Type.Literal('Prefix')])),
    upstream: Type.String({ minLength: 1 }),
    policy: Type.Optional(PolicyRef),
    identityHeaders: Type.Optional(IdentityHeaders),
    timeouts: Type.Optional(RouteTimeouts),
    bodyLimit: Type.Optional(Size),
    upgrade: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Upgrade protocols to tunnel. Others are ignored; h2c never passes.',
      }),
    ),
  },
  strict,
);

const Host = Type.Object(
  {
    names: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'Host names, IP addresses, or *.example.com for exactly one label.',
    }),
    certificate: Type.Object({ cert: FilePath, key: FilePath }, strict),
    clientAuth: Type.Optional(ClientAuth),
    policy: Type.Optional(PolicyRef),
    identityHeaders: Type.Optional(IdentityHeaders),
    routes: Type.Array(Route, { minItems: 1 }),
  },
  strict,
);

const UpstreamTls = Type.Object(
  {
    ca: Type.Optional(FilePath),
    serverName: Type.Optional(Type.String({ minLength: 1 })),
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

const Upstream = Type.Object(
  {
    endpoints: Type.Array(
      Type.String({
        pattern: '^(\\[[0-9a-fA-F:.]+\\]|[^:\\[\\]/]+):[0-9]{1,5}$',
        description: 'address:port, with brackets around an IPv6 address',
        examples: ['127.0.0.1:8000'],
      }),
      { description: 'Endpoints as address:port. None: every request is answered 503.' },
    ),
    balance: Type.Optional(Type.Union([Type.Literal('round_robin'), Type.Literal('least_connections')])),
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

const Limits = Type.Object(
  {
    handshakeTimeout: Type.Optional(Duration),
    handshakes: Type.Optional(Type.Integer({ minimum: 1, description: 'Handshakes in flight at once.' })),
    handshakesPerAddress: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Handshakes in flight of one address; of IPv6, of one /64.' }),
    ),
    connections: Type.Optional(Type.Integer({ minimum: 1 })),
    connectionsPerAddress: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Connections of one address; of IPv6, of one /64.' }),
    ),
    headSize: Type.Optional(Size),
    headerCount: Type.Optional(Type.Integer({ minimum: 1, maximum: 2000 })),
    headTimeout: Type.Optional(Duration),
    bodyTimeout: Type.Optional(Duration),
    keepAliveTimeout: Type.Optional(Duration),
    keepAliveRequests: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  strict,
);

function cryptoNames(description: string) {
  return Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 64, description });
}

/** What becomes of a ClientHello whose server name leads to no host. */
export const StandIn = Type.Union([Type.Literal('default'), Type.Literal('refuse')], {
  description:
    'default: the default host stands in. refuse: the alert unrecognized_name, before any handshake.',
});
export type StandIn = Static<typeof StandIn>;

const ConfigSchema = Type.Object(
  {
    listeners: Type.Object(
      { https: Listener, http: Type.Optional(HttpListener), admin: Type.Optional(Listener) },
      strict,
    ),
    tls: Type.Optional(
      Type.Object(
        {
          minVersion: Type.Optional(Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')])),
          sessionTickets: Type.Optional(
            Type.Boolean({
              description:
                'Let clients resume their sessions, for ten minutes and at the same host. Default true.',
            }),
          ),
          preset: Type.Optional(
            Type.Union([Type.Literal('modern'), Type.Literal('intermediate')], {
              description: 'Versions and cipher suites after Mozilla. Default intermediate.',
            }),
          ),
          ciphers: Type.Optional(
            cryptoNames(
              "Cipher suites by OpenSSL's names, TLS 1.3 and 1.2 alike, best first; in place of the preset's.",
            ),
          ),
          groups: Type.Optional(cryptoNames('Groups for the key exchange, best first.')),
          signatureAlgorithms: Type.Optional(
            cryptoNames('Signature algorithms, of our certificates and of those that clients send.'),
          ),
          defaultHost: Type.Optional(
            Type.String({
              minLength: 1,
              description:
                'One of the names of the host that stands in where no server name leads to one. Without: the strictest host.',
            }),
          ),
          unknownServerName: Type.Optional(StandIn),
          absentServerName: Type.Optional(StandIn),
        },
        strict,
      ),
    ),
    hosts: Type.Array(Host, { minItems: 1 }),
    upstreams: record(
      {
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$',
        description: 'a name of letters, digits, ., _ and -, at most 128 of them',
      },
      Upstream,
    ),
    limits: Type.Optional(Limits),
    shutdown: Type.Optional(
      Type.Object({ delay: Type.Optional(Duration), grace: Type.Optional(Duration) }, strict),
    ),
    accessLog: Type.Optional(Type.Boolean()),
  },
  strict,
);

/** The native configuration as written, after it fits the schema. Paths are still relative. */
export type Config = Static<typeof ConfigSchema>;
export type HostConfig = Config['hosts'][number];
export type RouteConfig = HostConfig['routes'][number];
export type UpstreamConfig = Config['upstreams'][string];

const schemas = Type.Module({ Policy: PolicySchema, Config: ConfigSchema });

/** The schema itself: for checking a parsed file, and for writing the JSON Schema. */
export const Config = schemas.Config;
export const Policy = schemas.Policy;
