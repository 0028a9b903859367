import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { describeCertificate } from '../../src/pki/describe.ts';
import { readCertificates } from '../../src/pki/pem.ts';
import { needs } from '../support/program.ts';
import { pki } from './command-line.ts';

const recipes = join(import.meta.dirname, '..', '..', 'certs');

/** What a program prints, standard error included; throws where it fails. */
function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout + stderr;
}

async function ok(t: Test, ...args: string[]): Promise<void> {
  const ran = await pki(args);
  t.equal(ran.code, 0, ran.stderr);
}

/** The walk-through's PKI, made by the commands from the files of `certs/`. */
async function makePki(t: Test) {
  const dir = t.testdir();
  const at = (name: string): string => join(dir, name);
  const profiles = ['--config', join(recipes, 'profiles.json')];
  await ok(t, 'init', join(recipes, 'root.json'), '--out', at('root'));
  await ok(
    t,
    'intermediate',
    join(recipes, 'intermediate.json'),
    '--ca',
    at('root.pem'),
    ...profiles,
    '--profile',
    'intermediate',
    '--out',
    at('intermediate'),
  );
  const below = ['--ca', at('intermediate.pem'), ...profiles];
  await ok(t, 'issue', join(recipes, 'server.json'), ...below, '--profile', 'server', '--out', at('server'));
  await ok(
    t,
    'issue',
    join(recipes, 'roshankhatri.json'),
    ...below,
    '--profile',
    'client',
    '--out',
    at('roshankhatri'),
  );
  await ok(t, 'issue', join(recipes, 'sales.json'), ...below, '--profile', 'client', '--out', at('sales'));
  await ok(t, 'revoke', at('sales.pem'), '--ca', at('intermediate.pem'), '--reason', 'cessationOfOperation');
  await ok(t, 'crl', '--ca', at('intermediate.pem'));
  await ok(t, 'crl', '--ca', at('root.pem'));
  writeFileSync(
    at('crls.pem'),
    readFileSync(at('intermediate-crl.pem'), 'utf8') + readFileSync(at('root-crl.pem'), 'utf8'),
  );
  return { at };
}

void t.test(
  'openssl verifies the chain strictly and refuses the revoked one',
  needs('openssl', 'version'),
  async (t) => {
    const { at } = await makePki(t);
    const verify = (name: string, ...more: string[]): string =>
      run(
        'openssl',
        'verify',
        '-x509_strict',
        '-CAfile',
        at('root.pem'),
        '-untrusted',
        at('intermediate.pem'),
        ...more,
        at(`${name}.pem`),
      );
    t.match(verify('roshankhatri', '-purpose', 'sslclient'), /: OK/);
    t.match(verify('server', '-purpose', 'sslserver', '-verify_hostname', 'in.logpoint.com.np'), /: OK/);
    t.match(verify('server', '-verify_ip', '127.0.0.1'), /: OK/);
    const crls = ['-crl_check_all', '-CRLfile', at('crls.pem')];
    t.match(verify('roshankhatri', ...crls), /: OK/);
    t.throws(() => verify('sales', ...crls), /certificate revoked/);
    t.throws(() => verify('server', '-purpose', 'sslclient'), /unsuitable certificate purpose/);
    const text = run(
      'openssl',
      'crl',
      '-in',
      at('intermediate-crl.pem'),
      '-CAfile',
      at('intermediate.pem'),
      '-noout',
      '-text',
    );
    t.match(text, /verify OK/);
    t.match(text, /X509v3 CRL Number: \s+1\s/);
    t.match(text, /Cessation Of Operation/);
  },
);

void t.test(
  'every extension a profile asks for is one that openssl knows',
  needs('openssl', 'version'),
  async (t) => {
    const { at } = await makePki(t);
    const profile = {
      usages: [
        'signing',
        'content commitment',
        'key agreement',
        'decipher only',
        'client auth',
        'ocsp signing',
      ],
      expiry: '24h',
      crl_url: 'http://crl.test/ca.crl',
      ocsp_url: 'http://ocsp.test/',
      issuer_urls: ['http://ca.test/ca.der'],
    };
    writeFileSync(at('p.json'), JSON.stringify({ signing: { profiles: { p: profile } } }));
    writeFileSync(at('x.json'), JSON.stringify({ hosts: ['a.test', '2001:db8::1'] }));
    await ok(
      t,
      'issue',
      at('x.json'),
      '--ca',
      at('intermediate.pem'),
      '--config',
      at('p.json'),
      '--profile',
      'p',
      '--out',
      at('x'),
    );
    const text = run('openssl', 'x509', '-in', at('x.pem'), '-noout', '-text');
    t.match(text, /Digital Signature, Non Repudiation, Key Agreement, Decipher Only/);
    t.match(text, /TLS Web Client Authentication, OCSP Signing/);
    t.match(text, /X509v3 Subject Alternative Name: critical\s+DNS:a\.test, IP Address:2001:DB8:0:0:0:0:0:1/);
    t.match(text, /CRL Distribution Points:\s+Full Name:\s+URI:http:\/\/crl\.test\/ca\.crl/);
    t.match(text, /OCSP - URI:http:\/\/ocsp\.test\/\s+CA Issuers - URI:http:\/\/ca\.test\/ca\.der/);
    const verified = run(
      'openssl',
      'verify',
      '-x509_strict',
      '-CAfile',
      at('root.pem'),
      '-untrusted',
      at('intermediate.pem'),
      at('x.pem'),
    );
    t.match(verified, /: OK/, 'an empty subject with critical names');
  },
);

void t.test('openssl takes our requests', needs('openssl', 'version'), async (t) => {
  const dir = t.testdir();
  for (const key of [{ algo: 'ecdsa', size: 384 }, { algo: 'rsa', size: 2048 }, { algo: 'ed25519' }]) {
    const json = join(dir, 'x.json');
    const hosts = ['a.test', '10.0.0.1', 'me@a.test', 'https://a.test/'];
    writeFileSync(json, JSON.stringify({ CN: 'x', key, hosts, names: [{ C: 'NP' }] }));
    await ok(t, 'init', json, '--out', join(dir, key.algo));
    const text = run(
      'openssl',
      'req',
      '-in',
      join(dir, `${key.algo}.csr`),
      '-verify',
      '-noout',
      '-text',
      '-nameopt',
      'RFC2253',
    );
    t.match(text, /self-signature verify OK/);
    t.match(text, /Subject: CN=x,C=NP/);
    t.match(text, /DNS:a\.test, IP Address:10\.0\.0\.1, email:me@a\.test, URI:https:\/\/a\.test\//);
  }
});

interface CfsslOutput {
  readonly cert: string;
  readonly key: string;
}

/** Runs cfssl and reads its JSON. */
const cfssl = (...args: string[]): CfsslOutput =>
  JSON.parse(
    execFileSync('cfssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  ) as CfsslOutput;

/** What two certificates must agree in. */
function essence(pem: string | Buffer) {
  const der = readCertificates(Buffer.from(pem), 'test')[0]!;
  const { subject, altNames, keyUsages, purposes, ca, pathLen, key } = describeCertificate(der, Date.now());
  const { validFromDate, validToDate } = new X509Certificate(der);
  return {
    // cfssl sorts the attributes by its own order, and writes an empty host as an empty DNS name.
    subject: subject.split(',').sort(),
    altNames: altNames.filter((name) => name !== 'DNS:').sort(),
    keyUsages: [...keyUsages].sort(),
    purposes: [...purposes].sort(),
    ca,
    pathLen,
    key,
    length: validToDate.getTime() - validFromDate.getTime(),
  };
}

void t.test('cfssl fed the same files makes the same certificates', needs('cfssl', 'version'), async (t) => {
  const { at } = await makePki(t);
  const profiles = join(recipes, 'profiles.json');
  const root = cfssl('gencert', '-initca', join(recipes, 'root.json'));
  t.same(essence(readFileSync(at('root.pem'))), essence(root.cert));
  const ca = ['-ca', at('root.pem'), '-ca-key', at('root-key.pem'), '-config', profiles];
  const theirs = cfssl('gencert', ...ca, '-profile', 'intermediate', join(recipes, 'intermediate.json'));
  t.same(essence(readFileSync(at('intermediate.pem'))), essence(theirs.cert));
  const below = ['-ca', at('intermediate.pem'), '-ca-key', at('intermediate-key.pem'), '-config', profiles];
  for (const [name, profile] of [
    ['server', 'server'],
    ['roshankhatri', 'client'],
    ['sales', 'client'],
  ] as const) {
    const { cert } = cfssl('gencert', ...below, '-profile', profile, join(recipes, `${name}.json`));
    t.same(essence(readFileSync(at(`${name}.pem`))), essence(cert), name);
  }
});

void t.test(
  "cfssl's own examples and an RSA guide give the same in both",
  needs('cfssl', 'version'),
  async (t) => {
    const { at } = await makePki(t);
    writeFileSync(at('config.json'), run('cfssl', 'print-defaults', 'config'));
    writeFileSync(at('csr.json'), run('cfssl', 'print-defaults', 'csr'));
    writeFileSync(
      at('guide.json'),
      JSON.stringify({
        CN: 'roshankhatri',
        hosts: ['', 'a.test', '10.1.2.3', 'me@a.test'],
        key: { algo: 'rsa', size: 2048 },
        names: [{ C: 'NP', ST: 'Nepal', L: 'Lalitpur', O: 'Logpoint Nepal', OU: 'ITOps' }],
      }),
    );
    const issuer = ['--ca', at('intermediate.pem')];
    const theirs = [
      '-ca',
      at('intermediate.pem'),
      '-ca-key',
      at('intermediate-key.pem'),
      '-config',
      at('config.json'),
    ];
    for (const [file, profile] of [
      ['csr', 'www'],
      ['csr', 'client'],
      ['guide', 'client'],
    ] as const) {
      const out = at(`${file}-${profile}`);
      await ok(
        t,
        'issue',
        at(`${file}.json`),
        ...issuer,
        '--config',
        at('config.json'),
        '--profile',
        profile,
        '--out',
        out,
      );
      const made = cfssl('gencert', ...theirs, '-profile', profile, at(`${file}.json`));
      t.same(essence(readFileSync(`${out}.pem`)), essence(made.cert), `${file} as ${profile}`);
    }
  },
);

void t.test('cfssl reads ours, and we go on with what cfssl made', needs('cfssl', 'version'), async (t) => {
  const { at } = await makePki(t);
  const info = JSON.parse(run('cfssl', 'certinfo', '-cert', at('roshankhatri.pem'))) as object;
  t.match(info, {
    subject: {
      common_name: 'roshankhatri',
      country: 'NP',
      organization: 'Logpoint Nepal',
      organizational_unit: 'ITOps',
      province: 'Nepal',
    },
    issuer: { common_name: 'Logpoint Nepal Demo Intermediate CA' },
    sigalg: 'ECDSAWithSHA256',
  });
  t.match(JSON.parse(run('cfssl', 'certinfo', '-csr', at('roshankhatri.csr'))), { Subject: {} });
  const { cert, key } = cfssl('gencert', '-initca', join(recipes, 'root.json'));
  writeFileSync(at('theirs.pem'), cert);
  writeFileSync(at('theirs-key.pem'), key, { mode: 0o600 });
  t.match(key, /EC PRIVATE KEY/, 'not in PKCS#8');
  await ok(
    t,
    'issue',
    join(recipes, 'roshankhatri.json'),
    '--ca',
    at('theirs.pem'),
    '--profile',
    'client',
    '--out',
    at('below'),
  );
  const issued = new X509Certificate(readFileSync(at('below.pem')));
  t.ok(issued.verify(new X509Certificate(cert).publicKey));
  t.ok(issued.checkPrivateKey(createPrivateKey(readFileSync(at('below-key.pem')))));
  const verified = await pki(['verify', at('below.pem'), '--ca', at('theirs.pem')]);
  t.equal(verified.code, 0, verified.stdout);
});

/** Waits for a socket file by the folder's own events. */
async function appears(
  dir: string,
  name: string,
  child: { readonly exitCode: number | null },
): Promise<void> {
  const watcher = watch(dir);
  try {
    while (!existsSync(join(dir, name))) {
      if (child.exitCode !== null) throw new Error('it did not start');
      await once(watcher, 'change', { signal: AbortSignal.timeout(10_000) });
    }
  } finally {
    watcher.close();
  }
}

void t.test(
  'nginx accepts our client and refuses the revoked one by our CRL',
  needs('nginx', '-v'),
  async (t) => {
    const { at } = await makePki(t);
    // A path short enough for a socket.
    const dir = mkdtempSync(join(tmpdir(), 'pki-nginx-'));
    t.teardown(() => rmSync(dir, { recursive: true, force: true }));
    const socket = join(dir, 'https');
    writeFileSync(
      join(dir, 'nginx.conf'),
      `daemon off;
master_process off;
pid ${dir}/pid;
error_log stderr crit;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  server {
    listen unix:${socket} ssl;
    ssl_certificate ${at('server-bundle.pem')};
    ssl_certificate_key ${at('server-key.pem')};
    ssl_client_certificate ${at('root.pem')};
    ssl_crl ${at('crls.pem')};
    ssl_verify_client on;
    ssl_verify_depth 2;
    location / { return 200 "$ssl_client_verify $ssl_client_s_dn\\n"; }
  }
}
`,
    );
    const nginx = spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = once(nginx, 'exit');
    t.teardown(async () => {
      nginx.kill('SIGTERM');
      await ended;
    });
    await appears(dir, 'https', nginx);
    const ask = (name: string): string =>
      run(
        'curl',
        '-sS',
        '--unix-socket',
        socket,
        '--cacert',
        at('root.pem'),
        '--cert',
        at(`${name}-bundle.pem`),
        '--key',
        at(`${name}-key.pem`),
        'https://in.logpoint.com.np/',
      );
    t.equal(
      ask('roshankhatri'),
      'SUCCESS CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP\n',
    );
    t.match(ask('sales'), /400 The SSL certificate error/);
  },
);
