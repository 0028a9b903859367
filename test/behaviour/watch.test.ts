import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { startBackend } from '../support/proxy.ts';
import { listeners, serve, type LogLine } from '../support/serve.ts';

const root = await createAuthority({ cn: 'Root A' });
const client = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const server = await root.issue({ cn: 'server', hosts: ['localhost'], usage: 'server' });
const renewed = await root.issue({ cn: 'renewed server', hosts: ['localhost'], usage: 'server' });
const files = { 'root.pem': root.cert, 'server.pem': server.bundle, 'server.key': server.key };

const config = (endpoint: string, ou: string): string => `
hosts:
  - names: [localhost]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: root.pem }
    routes: [{ path: /, upstream: backend, policy: { ou: ${ou} } }]
upstreams: { backend: { endpoints: ['${endpoint}'] } }
`;
const reload =
  (result: string) =>
  (line: LogLine): boolean =>
    line['kind'] === 'reload' && JSON.stringify(line).includes(`"result":"${result}"`);

await t.test('a changed file is taken over, a broken one is not, SIGHUP asks at once', async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, config(backend.endpoint, 'ITOps'), files);
  const status = async (): Promise<number> =>
    (
      await request({
        port: program.httpsPort,
        serverName: 'localhost',
        host: 'localhost',
        certificate: client,
      })
    ).status;
  const write = (name: string, text: string): void => {
    const file = join(program.dir, name);
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  t.equal(await status(), 200);

  write('config.yaml', listeners + config(backend.endpoint, 'Sales'));
  await program.line(reload('success'));
  t.equal(await status(), 403, 'the new policy holds');

  write('config.yaml', `${listeners}${config(backend.endpoint, 'ITOps')}\nhots: []\n`);
  const refused = JSON.stringify(await program.line(reload('failure')));
  t.match(refused, /config\.yaml:\d+:\d+ /, 'the log names the place');
  t.match(refused, 'hosts', 'and what may have been meant');
  t.equal(await status(), 403, 'the old policy still holds');

  write('config.yaml', listeners + config(backend.endpoint, 'ITOps'));
  await program.line(reload('success'));
  t.equal(await status(), 200);

  program.child.kill('SIGHUP');
  await program.line(reload('success'));
  t.equal(await status(), 200);
});

await t.test('a renewed certificate is served once its key is there too', async (t) => {
  const backend = await startBackend(t);
  const program = await serve(t, config(backend.endpoint, 'ITOps'), files);
  writeFileSync(join(program.dir, 'server.pem'), renewed.bundle);
  await program.line(reload('failure'));
  writeFileSync(join(program.dir, 'server.key'), renewed.key);
  await program.line(reload('success'));
  const { openTls } = await import('../support/client.ts');
  const socket = await openTls({ port: program.httpsPort, serverName: 'localhost', certificate: client });
  t.equal(socket.getPeerX509Certificate()?.subject, 'CN=renewed server');
  socket.destroy();
});
