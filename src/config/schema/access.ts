import { Type } from 'typebox';
import { Duration, FilePath, record, strict } from './value.ts';

/** A range of addresses, IPv4 or IPv6. */
export const AddressRange = Type.String({
  minLength: 1,
  description: 'An address or a range of them: 10.0.0.0/8, 2001:db8::/32.',
  examples: ['10.0.0.0/8'],
});

const BasicAuth = Type.Object(
  {
    users: Type.Union([FilePath, Type.Array(FilePath, { minItems: 1 })], {
      description: 'An htpasswd file, or several: bcrypt, apr1 or {SHA}.',
    }),
    realm: Type.Optional(Type.String({ pattern: '^[ !#-\\[\\]-~]*$', maxLength: 256 })),
  },
  strict,
);

const ExternalAuth = Type.Object(
  {
    upstream: Type.String({ minLength: 1, description: 'The upstream that is asked.' }),
    target: Type.String({
      pattern: '^/',
      description: 'Path and arguments of the question, with the placeholders of a redirect.',
      examples: ['/oauth2/auth'],
    }),
    host: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:\\[\\]-]{1,253}$' })),
    method: Type.Optional(
      Type.String({ pattern: '^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$', description: 'Default GET.' }),
    ),
    headers: Type.Optional(
      record(
        { pattern: '^[0-9A-Za-z-]{1,128}$', description: 'a header name' },
        Type.String({ pattern: '^[ -~]*$', maxLength: 4096 }),
        {
          maxProperties: 64,
          description:
            'Headers that the question has in place of what the client sent, with the placeholders of a redirect. One that comes out empty is taken off.',
        },
      ),
    ),
    responseHeaders: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9A-Za-z-]{1,128}$' }), {
        maxItems: 64,
        description: 'Headers of the answer that go on to the upstream, in place of what the client sent.',
      }),
    ),
    signin: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Where a 401 is redirected to, with the placeholders of a redirect.',
      }),
    ),
    signinParameter: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._~-]{0,64}$',
        description: 'The argument that names where the client wanted to go; empty for none. Default rd.',
      }),
    ),
    redirect: Type.Optional(
      Type.String({ minLength: 1, description: 'What X-Auth-Request-Redirect says. Default {uri}.' }),
    ),
    cache: Type.Optional(
      Type.Object(
        {
          key: Type.String({
            minLength: 1,
            description:
              'What answers are remembered by, beside the client certificate: text with {header:…}, {cookie:…}, {arg:…}, {address}, {path}, {uri}, {host}.',
          }),
          statuses: Type.Optional(
            Type.Array(Type.Integer({ minimum: 200, maximum: 599 }), {
              minItems: 1,
              description: 'Which answers. Default 200, 202, 401.',
            }),
          ),
          duration: Type.Optional(Duration),
          durations: Type.Optional(
            record({ pattern: '^[2-5][0-9]{2}$', description: 'a status' }, Duration, {
              maxProperties: 64,
              description:
                'How long answers of a status are remembered, beside those of `statuses`; 0s for not at all. Where this is the only key, no others are.',
            }),
          ),
        },
        strict,
      ),
    ),
    alwaysSetCookie: Type.Optional(
      Type.Boolean({
        description:
          "Pass the answer's cookies on whatever its status is, not only where it lets in or leads to a sign-in.",
      }),
    ),
  },
  strict,
);

/** Who may use a route, beside what certificates say. */
export const Access = Type.Object(
  {
    satisfy: Type.Optional(
      Type.Union([Type.Literal('all'), Type.Literal('any')], {
        description:
          'all: the address and every authentication (default). any: one of them is enough. Certificates and policies hold in any case.',
      }),
    ),
    allow: Type.Optional(
      Type.Array(AddressRange, { description: 'Only clients from here. An empty list lets no one in.' }),
    ),
    deny: Type.Optional(Type.Array(AddressRange, { description: 'No clients from here.' })),
    basicAuth: Type.Optional(BasicAuth),
    external: Type.Optional(ExternalAuth),
  },
  strict,
);

/** How much one client may ask for; counted by address, for each route and process. */
export const RateLimit = Type.Object(
  {
    perSecond: Type.Optional(Type.Integer({ minimum: 1 })),
    perMinute: Type.Optional(Type.Integer({ minimum: 1 })),
    burst: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'How many times its rate a client may ask for at once. Default 5.',
      }),
    ),
    connections: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Requests of one client under way at once.' }),
    ),
    bytesPerSecond: Type.Optional(
      Type.Integer({ minimum: 1, description: 'How fast one response goes to the client.' }),
    ),
    bytesBefore: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Bytes of a response that go unhindered first.' }),
    ),
    exempt: Type.Optional(Type.Array(AddressRange)),
    status: Type.Optional(Type.Integer({ minimum: 400, maximum: 599, description: 'Default 503.' })),
    connectionsStatus: Type.Optional(
      Type.Integer({
        minimum: 400,
        maximum: 599,
        description: 'The status of what `connections` refuses. Default: `status`.',
      }),
    ),
  },
  strict,
);
