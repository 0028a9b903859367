import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import t from 'tap';
import { writeNginx } from '../../src/proxy/headers/dialects/nginx.ts';
import { readIdentity } from '../../src/tls/identity-reader.ts';
import { none, success, type Verdict } from '../../src/tls/verdict.ts';
import { createAuthority, writeFiles, type Issued } from '../support/pki.ts';
import { toMap } from './headers/decode.ts';

// Real nginx is the judge of its dialect. Debian's package; where it is missing this test is skipped, except on CI.
const missing = spawnSync('nginx', ['-v']).error !== undefined && process.env['CI'] !== 'true';

const untrusted: Verdict = {
  status: 'failed',
  reason: 'untrusted',
  detail: 'unable to verify the first certificate',
  untrustedOnly: true,
};

void t.test('nginx writes the same values', { skip: missing && 'nginx is not installed' }, async (t) => {
  const root = await createAuthority({ cn: 'Root, "A" é', names: [['O', 'Logpoint Nepal']] });
  const foreign = await createAuthority({ cn: 'Foreign' });
  const server = await root.issue({ cn: 'localhost', hosts: ['localhost'], usage: 'server' });
  // Not t.testdir: a socket's path has at most 107 bytes.
  const dir = mkdtempSync(join(tmpdir(), 'nginx-'));
  writeFiles(dir, { 'ca.pem': root.cert, 'server.pem': server.bundle, 'server-key.pem': server.key });
  const socket = join(dir, 's');
  writeFiles(dir, {
    'nginx.conf': `
      daemon off; master_process off; pid ${dir}/pid; error_log stderr notice;
      events {}
      http {
        access_log off;
        client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
        uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
        server {
          listen unix:${socket} ssl;
          ssl_certificate ${dir}/server.pem; ssl_certificate_key ${dir}/server-key.pem;
          ssl_client_certificate ${dir}/ca.pem; ssl_verify_client optional_no_ca;
          return 200 "$ssl_client_verify\n$ssl_client_s_dn\n$ssl_client_i_dn\n$ssl_client_escaped_cert";
        }
      }`,
  });
  const nginx = spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(async () => {
    if (nginx.exitCode === null && nginx.kill()) await once(nginx, 'exit');
    rmSync(dir, { recursive: true });
  });
  const lines: string[] = [];
  for await (const line of createInterface(nginx.stderr)) {
    lines.push(line);
    // Said once its sockets listen.
    if (line.includes('getrlimit')) break;
  }
  nginx.stderr.resume();
  t.equal(nginx.exitCode, null, lines.join('\n'));

  const ask = async (client?: Issued): Promise<string[]> => {
    const connection = connect({
      path: socket,
      ca: root.cert,
      servername: 'localhost',
      ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
    });
    let answer = '';
    connection.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
    connection.write('GET / HTTP/1.0\r\n\r\n');
    await once(connection, 'close');
    return answer.slice(answer.indexOf('\r\n\r\n') + 4).split('\n');
  };
  const written = (client: Issued | undefined, verdict: Verdict): string[] => {
    const identity = client === undefined ? null : readIdentity(client.der);
    const headers = toMap(writeNginx({ verdict, identity, certificate: true }));
    return ['verify', 'subject-dn', 'issuer-dn', 'cert'].map(
      (name) => headers.get(`ssl-client-${name}`) ?? '',
    );
  };

  t.strictSame(await ask(), written(undefined, none), 'no certificate');
  for (const subject of [
    [
      ['C', 'NP'],
      ['O', 'Logpoint Nepal'],
      ['OU', 'ITOps'],
      ['CN', 'roshankhatri'],
    ],
    [
      ['O', 'Acme, Inc. <x>;"y"\\z+1'],
      ['CN', 'रोशन\r\nssl-client-verify: SUCCESS\0'],
    ],
    [
      ['OU', '#a'],
      ['OU', ' b'],
      [
        ['CN', 'x'],
        ['OU', 'y'],
      ],
      ['CN', 'c/d=e\x7f'],
    ],
    [],
  ] as const) {
    const client = await root.issue({ subject });
    t.strictSame(await ask(client), written(client, success), JSON.stringify(subject));
  }
  const stranger = await foreign.issue({ cn: 'roshankhatri' });
  t.strictSame(await ask(stranger), written(stranger, untrusted), 'a certificate of a foreign CA');
});
