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
  const references: FileReference[] = [];
  const add = (path: string, role: FileRole, file: string | undefined): void => {
    if (file !== undefined) references.push({ path, role, file });
  };
  const tls = (
    path: string,
    { certificate, clientAuth }: Pick<HostConfig, 'certificate' | 'clientAuth'>,
  ): void => {
    add(`${path}/certificate/cert`, 'certificate', certificate.cert);
    add(`${path}/certificate/key`, 'key', certificate.key);
    add(`${path}/certificate/ocspResponse`, 'ocspResponse', certificate.ocspResponse);
    add(`${path}/clientAuth/ca`, 'ca', clientAuth?.ca);
    for (const { file, place } of crlFilesOf(clientAuth ?? {}))
      add(`${path}/clientAuth${place}`, 'crl', file);
  };
  const admin = adminHostOf(config);
  if (admin !== null) tls(adminPath, admin);
  const { reading, changing } = config.listeners.admin ?? {};
  for (const [name, grant] of Object.entries({ reading, changing })) {
    if (typeof grant === 'object') add(`${adminPath}/${name}/token`, 'tokens', grant.token);
  }
  for (const [index, host] of config.hosts.entries()) {
    const path = pointer('hosts', index);
    tls(path, host);
    const { routes } = host;
    for (const [number, { access, clientAuth: own }] of routes.entries()) {
      add(`${path}/routes/${number}/clientAuth/ca`, 'ca', own?.ca);
      for (const { file, place } of crlFilesOf(own ?? {})) {
        add(`${path}/routes/${number}/clientAuth${place}`, 'crl', file);
      }
      const users = access?.basicAuth?.users;
      const place = `${path}/routes/${number}/access/basicAuth/users`;
      if (Array.isArray(users)) users.forEach((file, nth) => add(`${place}/${nth}`, 'users', file));
      else add(place, 'users', users);
    }
  }
  add('/denyList', 'denyList', config.denyList);
  for (const [name, { tls }] of Object.entries(config.upstreams)) {
    const path = pointer('upstreams', name, 'tls');
    add(`${path}/ca`, 'ca', tls?.ca);
    add(`${path}/cert`, 'certificate', tls?.cert);
    add(`${path}/key`, 'key', tls?.key);
  }
  return references;
}
