import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { start } from '../admin/client.ts';
import { createAuthority } from '../support/pki.ts';
import { serve } from '../support/serve.ts';

// What the admin listener does over time.

void t.test('heads and bodies that do not come are not waited for', { timeout: 30_000 }, async (t) => {
  const { address, port } = await start(t, {
    access: () => ({ reading: 'open', changing: 'open', probes: 'open' }),
  });
  const began = Date.now();
  const answerTo = async (text: string): Promise<string> => {
    const socket = connect(port, address);
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.write(text);
    let answer = '';
    socket.on('data', (chunk: string) => (answer += chunk));
    await once(socket, 'close');
    return answer;
  };
  const answers = await Promise.all([
    answerTo('GET /status HTTP/1.1\r\nhost: localhost\r\nx-slow: '),
    answerTo('POST /deny-list HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{"se'),
    answerTo(''),
  ]);
  t.ok(Date.now() - began < 15_000);
  t.match(answers[0], /^HTTP\/1\.1 408 /);
  for (const answer of answers.slice(1)) t.notMatch(answer, /^HTTP\/1\.1 2/);
});

void t.test(
  'a drain that is asked for ends the program, and its exit code is 0',
  { timeout: 60_000 },
  async (t) => {
    const authority = await createAuthority({ cn: 'CA' });
    const server = await authority.issue({ cn: 'a.test', usage: 'server', hosts: ['a.test'] });
    const config = `shutdown: { grace: 1s }
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key }
    routes: [{ path: /, respond: { status: 200 } }]
upstreams: {}
`;
    for (const workers of [1, 2]) {
      const program = await serve(
        t,
        `workers: ${workers}\n${config}`,
        { 'server.pem': server.bundle, 'server.key': server.key },
        [],
        `listeners:
  https: { address: 127.0.0.1, port: 0 }
  http: { address: 127.0.0.1, port: 0 }
  admin: { address: 127.0.0.1, port: 0, changing: { local: true } }
`,
      );
      const ended = once(program.child, 'exit');
      const answer = await fetch(`http://127.0.0.1:${program.adminPort}/drain`, { method: 'POST' });
      t.equal(answer.status, 202);
      await program.line(({ message }) => message === 'admin change');
      t.same(await ended, [0, null], `${workers} workers`);
    }
  },
);
