import type { Config, HostConfig } from './schema.ts';

/** Where the admin listener stands in a configuration; what it says of TLS has the keys that it has in a host. */
export const adminPath = '/listeners/admin';

/**
 * The admin listener as the host that it is to TLS: its certificate, and whom it asks for theirs. Null where it speaks
 * plain HTTP. What is checked and compiled of a host is checked and compiled of it alike.
 */
export function adminHostOf({ listeners: { admin } }: Config): HostConfig | null {
  if (admin?.certificate === undefined) return null;
  const { certificate, clientAuth } = admin;
  return {
    names: ['*'],
    certificate,
    // Who shows no certificate may have a token, and is told what is wanted.
    ...(clientAuth === undefined ? {} : { clientAuth: { mode: 'optional' as const, ...clientAuth } }),
    routes: [],
  };
}
