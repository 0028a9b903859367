import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createFileSource } from '../../src/config/file-source.ts';
import { createAuthority } from '../support/pki.ts';
import { changed, folder, material, valid } from './fixture.ts';

const day = 86_400_000;
const files = await material();

void t.test('good files load without a warning', async (t) => {
  const loaded = await createFileSource(join(folder(t, { ...files, 'c.yaml': valid }), 'c.yaml')).load();
  t.match(loaded, { ok: true, warnings: [] });
});

void t.test('what clients will stumble over is a warning at every load, and refuses none', async (t) => {
  const now = Date.now();
  const root = await createAuthority({ cn: 'Root', notBefore: now - 9 * day, notAfter: now + 99 * day });
  const server = await root.issue({
    usage: 'server',
    hosts: ['a.example.com', '*.b.example.com', '192.0.2.1'],
    notBefore: now - 9 * day,
    notAfter: now - day,
  });
  const path = folder(t, { ...files, 'c.yaml': valid });
  const source = createFileSource(join(path, 'c.yaml'));
  t.match(await source.load(), { ok: true, warnings: [] });
  const others = {
    'server.pem': server.bundle,
    'server-key.pem': server.key,
    'ca.pem': root.cert,
    'ca.crl': root.crl({ revoked: [], thisUpdate: now - 9 * day, nextUpdate: now - day }),
  };
  for (const [name, contents] of Object.entries(others)) writeFileSync(join(path, name), contents);
  for (const load of ['first', 'second']) {
    const loaded = await source.load();
    const warnings = loaded.ok ? loaded.warnings : loaded.problems;
    t.equal(loaded.ok, true, load);
    t.match(
      warnings,
      [
        /c\.yaml:7:26 \/hosts\/0\/certificate\/cert warning: the certificate in `server.pem` expired on /,
        /c\.yaml:12:12 \/hosts\/0\/clientAuth\/crl warning: the 1st CRL in `ca.crl` was due to be replaced by /,
        /c\.yaml:31:13 \/hosts\/1\/names\/0 warning: the certificate in `server.pem` does not cover /,
        /c\.yaml:32:26 \/hosts\/1\/certificate\/cert warning: the certificate in `server.pem` expired on /,
      ],
      load,
    );
    t.equal(warnings.length, 4);
  }
});

void t.test('an error refuses, warnings beside it', async (t) => {
  const path = folder(t, { ...files, 'c.yaml': changed(['upstream: tls', 'upstream: tsl']) });
  t.match(await createFileSource(join(path, 'c.yaml')).load(), {
    ok: false,
    problems: [/there is no upstream `tsl`/, /warning: no route leads to this upstream/],
  });
});
