import { Type } from 'typebox';
import { IdentityHeaders } from './identity-headers.ts';
import { PolicyRef } from './policy.ts';
import { Duration, RoutePath, Size, strict } from './value.ts';

const RouteTimeouts = Type.Object(
  { connect: Type.Optional(Duration), send: Type.Optional(Duration), read: Type.Optional(Duration) },
  strict,
);

/** A path of a host, and what happens there. */
export const Route = Type.Object(
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
