import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { createAuthority } from '../support/pki.ts';
import { type Change, changed, folder, material, valid } from './fixture.ts';

const files = await material();

/** What is said of a configuration in a folder with these files. */
async function said(
  t: Test,
  text: string | Uint8Array,
  others: Record<string, string | Uint8Array> = files,
): Promise<string[]> {
  const path = folder(t, { ...others, 'c.yaml': text });
  const { problems } = await loadConfig(join(path, 'c.yaml'));
  return problems.map((problem) => formatProblem({ ...problem, file: 'c.yaml' }));
}

void t.test('a good configuration comes with its files and without problems', async (t) => {
  const path = folder(t, { ...files, 'c.yaml': valid });
  const loaded = await loadConfig(join(path, 'c.yaml'));
  t.same(loaded.problems, []);
  t.match(loaded.config, { hosts: [{ names: ['a.example.com', '*.b.example.com', '192.0.2.1'] }, {}] });
  t.same(Object.fromEntries((loaded as LoadedConfig).material), files, 'under the paths as written');
  t.same([...loaded.files].sort(), ['c.yaml', ...Object.keys(files)].map((name) => join(path, name)).sort());
  t.same((loaded as LoadedConfig).place({ path: '/hosts/1/names/0', message: 'x', severity: 'error' }), {
    file: join(path, 'c.yaml'),
    line: 31,
    column: 13,
    path: '/hosts/1/names/0',
    message: 'x',
    severity: 'error',
  });
});

void t.test(
  'paths are read from the folder of the configuration, and absolute ones from where they are',
  async (t) => {
    const elsewhere = folder(t, { 'ca.pem': files['ca.pem']! });
    const path = folder(t, { ...files, 'c/c.yaml': valid });
    const text = valid
      .replaceAll(/(server|client)(-key)?\.pem/g, '../$&')
      .replaceAll('ca.crl', '../ca.crl')
      .replaceAll('ca.pem', join(elsewhere, 'ca.pem'));
    writeFileSync(join(path, 'c/c.yaml'), text);
    const loaded = await loadConfig(join(path, 'c/c.yaml'));
    t.same(loaded.problems, []);
    t.ok(loaded.files.includes(join(path, 'server.pem')));
    t.ok(loaded.files.includes(join(elsewhere, 'ca.pem')));
  },
);

void t.test('a configuration file that cannot be read is one problem', async (t) => {
  const path = folder(t, { 'empty.yaml': '', 'latin1.yaml': Buffer.from('a: caf\xe9', 'latin1') });
  mkdirSync(join(path, 'folder.yaml'));
  writeFileSync(join(path, 'large.yaml'), '');
  truncateSync(join(path, 'large.yaml'), 4 * 1024 ** 2 + 1);
  symlinkSync('loop.yaml', join(path, 'loop.yaml'));
  execFileSync('mkfifo', [join(path, 'fifo.yaml')]);
  const cases: Record<string, RegExp> = {
    'none.yaml': /is not there$/,
    'empty.yaml/x.yaml': /is not there: a part of its path is no folder/,
    'empty.yaml': /is empty$/,
    'folder.yaml': /is a folder/,
    'large.yaml': /is larger than 4 MiB/,
    'latin1.yaml': /is not UTF-8 text/,
    'loop.yaml': /leads back to itself/,
    'fifo.yaml': /is no regular file/,
    'a\0b.yaml': /is no file name/,
    [`${'x'.repeat(300)}.yaml`]: /has a name too long/,
  };
  for (const [name, expected] of Object.entries(cases)) {
    const { config, problems } = await loadConfig(join(path, name));
    t.equal(config, undefined);
    t.equal(problems.length, 1);
    t.match(
      problems[0],
      { line: 1, column: 1, path: '', severity: 'error', message: expected },
      JSON.stringify(name),
    );
  }
});

void t.test('a file that is named and cannot serve is told where it is named, every one', async (t) => {
  const path = folder(t, { ...files, 'c.yaml': valid });
  const set = (name: string, contents: string | Uint8Array): void =>
    writeFileSync(join(path, name), contents);
  execFileSync('rm', [join(path, 'ca.crl'), join(path, 'server.pem'), join(path, 'client.pem')]);
  mkdirSync(join(path, 'server.pem'));
  execFileSync('mkfifo', [join(path, 'client.pem')]);
  set('ca.pem', '');
  set('server-key.pem', files['server.pem']!);
  set('client-key.pem', files['client-key.pem']!.slice(0, 60));
  const { problems } = await loadConfig(join(path, 'c.yaml'));
  t.same(
    problems.map(({ line, column, message }) => `${line}:${column} ${message}`),
    [
      '7:26 `server.pem` is a folder: name a file in it',
      '7:43 `server-key.pem` holds no private key, only CERTIFICATE',
      '11:11 `ca.pem` is empty',
      '12:12 `ca.crl` is not there',
      '32:26 `server.pem` is a folder: name a file in it',
      '32:43 `server-key.pem` holds no private key, only CERTIFICATE',
      '41:16 `ca.pem` is empty',
      '41:60 `client.pem` is no regular file',
      '41:77 `client-key.pem` is cut off or damaged: a BEGIN line has no END line',
    ],
  );
});

void t.test('a file too large is not read', async (t) => {
  const path = folder(t, { ...files, 'c.yaml': valid });
  truncateSync(join(path, 'ca.crl'), 10 * 1024 ** 2 + 1);
  const { problems } = await loadConfig(join(path, 'c.yaml'));
  t.match(problems, [{ message: '`ca.crl` is larger than 10 MiB' }]);
});

void t.test('a private key that others can read is a warning', async (t) => {
  const path = folder(t, { ...files, 'c.yaml': valid });
  chmodSync(join(path, 'server-key.pem'), 0o644);
  chmodSync(join(path, 'client-key.pem'), 0o640);
  const { config, problems } = await loadConfig(join(path, 'c.yaml'));
  t.ok(config);
  t.match(problems, [
    { severity: 'warning', message: /`server-key.pem` may be read by everyone/ },
    { severity: 'warning' },
    { severity: 'warning', message: /`client-key.pem` may be read by its group/ },
  ]);
});

void t.test('a secret in place of its path is refused and not repeated', async (t) => {
  const key = files['server-key.pem']!;
  const inline = `|\n${key.replaceAll(/^/gm, '        ')}`;
  const problems = await said(
    t,
    valid.replace(
      'certificate: { cert: server.pem, key: server-key.pem }\n    clientAuth',
      `certificate:\n      cert: server.pem\n      key: ${inline}\n    clientAuth`,
    ),
  );
  t.equal(problems.length, 1);
  t.match(
    problems[0],
    /\/hosts\/0\/certificate\/key is the PEM itself: write it to a file, and its path here/,
  );
  const body = key.split('\n')[1]!;
  t.notOk(problems.join('').includes(body.slice(0, 20)));
});

void t.test('problems of all kinds are told at once, in the order of the file', async (t) => {
  const change: Change = [
    ['accessLog: false', 'acessLog: false'],
    ['upstream: tls', 'upstream: tsl'],
    ['crl: ca.crl', 'crl: other.crl'],
    ['headTimeout: 10s', 'headTimeout: 0s'],
    ["'c[0-9]+'", "'c[0-9'"],
  ];
  const problems = await said(t, changed(...change));
  t.same(
    problems.map((problem) => problem.split(' ').slice(0, 2).join(' ')),
    [
      'c.yaml:12:12 /hosts/0/clientAuth/crl',
      'c.yaml:17:25 /hosts/0/policy/any/0/cn/2',
      'c.yaml:30:19 /hosts/0/routes/1/upstream',
      'c.yaml:39:3 /upstreams/tls',
      'c.yaml:42:24 /limits/headTimeout',
      'c.yaml:44:1 /acessLog',
    ],
  );
});

void t.test('a key of another certificate is refused', async (t) => {
  const other = await createAuthority({ cn: 'Other' });
  const foreign = await other.issue({ cn: 'x' });
  const problems = await said(t, valid, { ...files, 'server-key.pem': foreign.key });
  t.same(problems, [
    'c.yaml:7:43 /hosts/0/certificate/key `server-key.pem` does not belong to the certificate in `server.pem`: their public keys differ',
    'c.yaml:32:43 /hosts/1/certificate/key `server-key.pem` does not belong to the certificate in `server.pem`: their public keys differ',
  ]);
  const mixed = await said(t, valid, { ...files, 'client.pem': other.cert + files['client.pem']! });
  t.match(mixed, [
    /\/upstreams\/tls\/tls\/key .* belongs to the 2nd one in there: the host's own certificate comes first/,
  ]);
});

void t.test(
  'every block of a file has to parse: OpenSSL would pass over a broken CA in silence',
  async (t) => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    t.match(await said(t, valid, { ...files, 'ca.pem': files['ca.pem']! + broken }), [
      /11:11 \/hosts\/0\/clientAuth\/ca the 2nd certificate in `ca.pem` cannot be read/,
      /41:16 \/upstreams\/tls\/tls\/ca the 2nd certificate/,
    ]);
    t.match(await said(t, valid, { ...files, 'ca.pem': broken }), [
      /the 1st certificate in `ca.pem` cannot be read/,
      /the 1st certificate in `ca.pem` cannot be read/,
    ]);
    const crl = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n';
    t.match(await said(t, valid, { ...files, 'ca.crl': files['ca.crl']! + crl }), [
      /12:12 \/hosts\/0\/clientAuth\/crl the 2nd CRL in `ca.crl` cannot be read/,
    ]);
    const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    t.match(await said(t, valid, { ...files, 'client-key.pem': key }), [
      /\/upstreams\/tls\/tls\/key the private key in `client-key.pem` cannot be read/,
    ]);
  },
);

void t.test('a trust store of certificates that are no CAs is refused', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const leaf = await root.issue({ ou: 'ITOps', cn: 'leaf' });
  const problems = await said(t, valid, { ...files, 'ca.pem': files['ca.pem']! + leaf.cert });
  t.match(problems, [
    /11:11 \/hosts\/0\/clientAuth\/ca the 2nd certificate in `ca.pem` \(`CN=leaf, OU=ITOps`\) is no CA \(basicConstraints CA:TRUE\)/,
    /41:16 \/upstreams\/tls\/tls\/ca the 2nd certificate/,
  ]);
});

void t.test('a certificate that TLS itself refuses is refused here, with its reason', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const weak = await root.issue({ cn: 'server', usage: 'server', key: privateKey });
  const problems = await said(t, valid, { ...files, 'server.pem': weak.cert, 'server-key.pem': weak.key });
  t.match(problems, [
    /\/hosts\/0\/certificate\/cert TLS refuses `server.pem` with `server-key.pem`: ee key too small/,
    /\/hosts\/1\/certificate\/cert TLS refuses/,
  ]);
});

void t.test('a backend may be trusted by its own self-signed certificate, a client may not', async (t) => {
  const self = await createAuthority({ cn: 'backend.internal', ca: false });
  const text = changed(['tls: { ca: ca.pem', 'tls: { ca: self.pem']);
  t.same(await said(t, text, { ...files, 'self.pem': self.cert }), []);
  const client = changed(['      ca: ca.pem', '      ca: self.pem']);
  t.match(await said(t, client, { ...files, 'self.pem': self.cert }), [/is no CA/]);
});

void t.test('a file caught half written is refused', async (t) => {
  const path = folder(t, { ...files, 'c.yaml': valid });
  // Truncated to the first half of its PEM, as a reader sees a file that is being written.
  writeFileSync(join(path, 'server.pem'), files['server.pem']!.slice(0, 300));
  const { config, problems } = await loadConfig(join(path, 'c.yaml'));
  t.equal(config, undefined);
  t.match(problems[0], { message: /is cut off or damaged/ });
});

void t.test('further checks see what was loaded, and their findings get a place', async (t) => {
  const path = folder(t, { ...files, 'c.yaml': valid });
  const { config, problems } = await loadConfig(join(path, 'c.yaml'), (given, contents) => [
    { path: '/hosts/0/clientAuth/ca', message: `${given.hosts.length} ${contents.size}`, severity: 'error' },
  ]);
  t.equal(config, undefined, 'an error refuses');
  t.match(problems, [{ line: 11, column: 11, message: '2 6' }]);
});

void t.test(
  'a configuration mutated at random is loaded or refused: no exception, and places lie in the file',
  async (t) => {
    const path = folder(t, files);
    const file = join(path, 'c.yaml');
    const lines = valid.split('\n');
    const mutation = fc.oneof(
      // Text put in, taken out or doubled anywhere …
      fc.record({
        kind: fc.constant('splice' as const),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        remove: fc.nat(20),
        insert: fc.oneof(
          fc.constantFrom(
            '',
            ' ',
            '\n',
            '\n  ',
            ': ',
            '- ',
            '{',
            '}',
            '[',
            ']',
            ',',
            '"',
            "'",
            '&a ',
            '*a',
            '!!x ',
            '#',
            '---\n',
            '\t',
            '\0',
            '\uFEFF',
          ),
          fc.constantFrom(
            'hosts:',
            'mode: off',
            'null',
            '5',
            '[]',
            '{}',
            '__proto__: 1',
            'constructor: {}',
            '../',
            '*',
            '-----BEGIN X-----',
          ),
          fc.string({ maxLength: 5, unit: 'binary' }),
        ),
      }),
      // … and whole lines moved.
      fc.record({
        kind: fc.constant('move' as const),
        from: fc.nat(lines.length - 1),
        to: fc.nat(lines.length - 1),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (mutations) => {
        let text = valid;
        for (const change of mutations) {
          if (change.kind === 'splice') {
            const at = Math.floor(change.at * text.length);
            text = text.slice(0, at) + change.insert + text.slice(at + change.remove);
          } else {
            const moved = text.split('\n');
            const [line = ''] = moved.splice(change.from, 1);
            moved.splice(change.to, 0, line);
            text = moved.join('\n');
          }
        }
        writeFileSync(file, text);
        const { config, problems } = await loadConfig(file);
        const written = Buffer.from(text)
          .toString()
          .replace(/^\uFEFF/, '')
          .split('\n');
        const inside = problems.every(
          ({ line, column }) =>
            line >= 1 && line <= written.length && column >= 1 && column <= written[line - 1]!.length + 1,
        );
        return inside && (config === undefined) === problems.some(({ severity }) => severity === 'error');
      }),
      { numRuns: 500 },
    );
    t.pass();
  },
);

void t.test('a CRL that cannot count is refused, at the place that names it', async (t) => {
  const [ca, another] = [await createAuthority({ cn: 'CA' }), await createAuthority({ cn: 'CA' })];
  const several = changed(['crl: ca.crl', 'crl: [ca.crl, more.crl]']);
  const own = { ...files, 'ca.pem': files['ca.pem']! + ca.cert, 'more.crl': ca.crl() };
  t.same(await said(t, several, own), []);
  t.match(await said(t, several, { ...own, 'more.crl': ca.crl() + another.crl() }), [
    /:21 \/hosts\/0\/clientAuth\/crl\/1 the 2nd CRL in `more.crl` bears the name of "CN=CA", and a signature that is not its/,
  ]);
  const [first = '', second = '', ...rest] = ca.crl().split('\n');
  // One bit of what is signed.
  const forged = [first, second.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), ...rest].join('\n');
  t.equal((await said(t, several, { ...own, 'more.crl': forged })).length, 1);
  t.match(await said(t, several, { ...own, 'more.crl': '' }), [/\/crl\/1 `more.crl` is empty/]);
});

void t.test('a CRL in DER is taken as one in PEM', async (t) => {
  const der = Buffer.from(files['ca.crl']!.replaceAll(/-----[^-]*-----/g, ''), 'base64');
  t.same(await said(t, valid, { ...files, 'ca.crl': der }), []);
  const path = folder(t, { ...files, 'ca.crl': der, 'c.yaml': valid });
  const loaded = (await loadConfig(join(path, 'c.yaml'))) as LoadedConfig;
  t.equal(loaded.material.get('ca.crl'), files['ca.crl']);
  t.match(await said(t, valid, { ...files, 'ca.crl': der.subarray(0, -9) }), [
    /the 1st CRL in `ca.crl` cannot be read/,
  ]);
});
