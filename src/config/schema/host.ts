import { Type } from 'typebox';
import { OwnCertificate } from './certificate.ts';
import { ClientAuth } from './client-auth.ts';
import { IdentityHeaders } from './identity-headers.ts';
import { PolicyRef } from './policy.ts';
import { Enforcement } from './report.ts';
import { Route } from './route.ts';
import { strict } from './value.ts';

/** One or several names, their certificate, and their routes. */
export const Host = Type.Object(
  {
    names: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description:
        'Host names, IP addresses, *.example.com for exactly one label, or * for all names of no other host.',
    }),
    certificate: OwnCertificate,
    clientAuth: Type.Optional(ClientAuth),
    policy: Type.Optional(PolicyRef),
    mode: Type.Optional(Enforcement),
    policyMode: Type.Optional(Enforcement),
    identityHeaders: Type.Optional(IdentityHeaders),
    routes: Type.Array(Route, { minItems: 1 }),
  },
  strict,
);
