import { Type } from 'typebox';
import { Duration, Size, strict } from './value.ts';

/** What one program takes on at most. */
export const Limits = Type.Object(
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
