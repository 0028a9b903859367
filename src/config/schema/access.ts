import { Type } from 'typebox';
import { FilePath, strict } from './value.ts';

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
    exempt: Type.Optional(Type.Array(AddressRange)),
    status: Type.Optional(Type.Integer({ minimum: 400, maximum: 599, description: 'Default 503.' })),
  },
  strict,
);
