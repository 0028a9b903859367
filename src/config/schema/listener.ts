import { Type } from 'typebox';
import { strict } from './value.ts';

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

/** The addresses that the program accepts on. */
export const Listeners = Type.Object(
  { https: Listener, http: Type.Optional(HttpListener), admin: Type.Optional(Listener) },
  strict,
);
