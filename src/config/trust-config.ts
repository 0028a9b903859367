import type { HostConfig } from './schema.ts';

/** What a host or route says of its trust store. */
export type TrustConfig = Pick<
  NonNullable<HostConfig['clientAuth']>,
  'ca' | 'crl' | 'revocation' | 'verifyDepth' | 'ocsp'
>;

/** What holds for a route: whatever it does not say is its host's; of `revocation`, setting by setting. */
export function inheritTrust(own: TrustConfig, host: TrustConfig): TrustConfig {
  const revocation =
    own.revocation === undefined && host.revocation === undefined
      ? {}
      : { revocation: { ...host.revocation, ...own.revocation } };
  return { ...host, ...own, ...revocation };
}

/** A file of CRLs, and where in a `clientAuth` it is named. */
export interface CrlFile {
  readonly file: string;
  /** `/crl`, or `/crl/0` and so on. */
  readonly place: string;
}

export function crlFilesOf({ crl }: Pick<TrustConfig, 'crl'>): readonly CrlFile[] {
  if (crl === undefined) return [];
  if (typeof crl === 'string') return [{ file: crl, place: '/crl' }];
  return crl.map((file, index) => ({ file, place: `/crl/${index}` }));
}

/** A `clientAuth` that asks for certificates, of a host or of a route with its own, with what it inherits. */
export interface TrustPlace {
  /** JSON pointer to where the `clientAuth` would be; `crl` is where its CRLs are named, its own or the host's. */
  readonly path: string;
  readonly crlPath: string;
  readonly mode: string;
  readonly own: TrustConfig;
  readonly trust: TrustConfig;
}

/** Every `clientAuth` of a host, its routes' included. */
export function trustPlaces({ clientAuth, routes }: HostConfig, path: string): readonly TrustPlace[] {
  const hostPath = `${path}/clientAuth`;
  const places: TrustPlace[] = [];
  if (clientAuth !== undefined) {
    const { mode } = clientAuth;
    places.push({ path: hostPath, crlPath: hostPath, mode, own: clientAuth, trust: clientAuth });
  }
  for (const [index, { clientAuth: own }] of routes.entries()) {
    if (own === undefined) continue;
    const routePath = `${path}/routes/${index}/clientAuth`;
    const crlPath = own.crl === undefined ? hostPath : routePath;
    const trust = inheritTrust(own, clientAuth ?? {});
    places.push({ path: routePath, crlPath, mode: own.mode, own, trust });
  }
  return places;
}
