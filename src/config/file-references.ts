import { adminHostOf, adminPath } from './admin-host.ts';
import type { FileRole } from './pem.ts';
import { pointer } from './problem.ts';
import type { Config, HostConfig } from './schema.ts';
import { crlFilesOf } from './trust-config.ts';

/** A place in the configuration that names a file. */
export interface FileReference {
  /** JSON pointer. */
  readonly path: string;
  /** As written. */
  readonly file: string;
  readonly role: FileRole;
}

/** Every file that the configuration names, in the order of the file. */
export function fileReferences(config: Config): FileReference[] {
  return [
    ...adminReferences(config),
    ...config.hosts.flatMap((host, index) => hostReferences(host, pointer('hosts', index))),
    ...otherReferences(config),
  ];
}

/** Those of one host, at this place. */
export function hostReferences(host: HostConfig, path: string): FileReference[] {
  const references = tlsReferences(path, host);
  for (const [number, { access, clientAuth: own }] of host.routes.entries()) {
    const users = access?.basicAuth?.users;
    if (own === undefined && users === undefined) continue;
    const place = `${path}/routes/${number}`;
    references.push(...reference(`${place}/clientAuth/ca`, 'ca', own?.ca));
    for (const crl of crlFilesOf(own ?? {})) {
      references.push(...reference(`${place}/clientAuth${crl.place}`, 'crl', crl.file));
    }
    const usersPlace = `${place}/access/basicAuth/users`;
    if (Array.isArray(users)) {
      references.push(...users.flatMap((file, nth) => reference(`${usersPlace}/${nth}`, 'users', file)));
    } else references.push(...reference(usersPlace, 'users', users));
  }
  return references;
}

/** Those of the admin listener. */
export function adminReferences(config: Config): FileReference[] {
  const admin = adminHostOf(config);
  const references = admin === null ? [] : tlsReferences(adminPath, admin);
  const { reading, changing } = config.listeners.admin ?? {};
  for (const [name, grant] of Object.entries({ reading, changing })) {
    if (typeof grant === 'object')
      references.push(...reference(`${adminPath}/${name}/token`, 'tokens', grant.token));
  }
  return references;
}

/** Those that stand behind the hosts: of the deny list and the upstreams. */
export function otherReferences(config: Config): FileReference[] {
  const references = [...reference('/denyList', 'denyList', config.denyList)];
  for (const [name, { tls }] of Object.entries(config.upstreams)) {
    if (tls === undefined) continue;
    const path = pointer('upstreams', name, 'tls');
    references.push(
      ...reference(`${path}/ca`, 'ca', tls.ca),
      ...reference(`${path}/cert`, 'certificate', tls.cert),
      ...reference(`${path}/key`, 'key', tls.key),
    );
  }
  return references;
}

function tlsReferences(
  path: string,
  { certificate, clientAuth }: Pick<HostConfig, 'certificate' | 'clientAuth'>,
): FileReference[] {
  return [
    ...reference(`${path}/certificate/cert`, 'certificate', certificate.cert),
    ...reference(`${path}/certificate/key`, 'key', certificate.key),
    ...reference(`${path}/certificate/ocspResponse`, 'ocspResponse', certificate.ocspResponse),
    ...reference(`${path}/clientAuth/ca`, 'ca', clientAuth?.ca),
    ...crlFilesOf(clientAuth ?? {}).flatMap(({ file, place }) =>
      reference(`${path}/clientAuth${place}`, 'crl', file),
    ),
  ];
}

function reference(path: string, role: FileRole, file: string | undefined): FileReference[] {
  return file === undefined ? [] : [{ path, role, file }];
}
