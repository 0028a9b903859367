import t from 'tap';
import { createAuthority, type TestRdn } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { judge, playAll, type Difference } from './difference.ts';
import type { Case } from './observe.ts';
import { startSides } from './sides.ts';

// Subjects that try to say more than they may, as header values and as PEM, beside OpenSSL's own writing.

const differences: readonly Difference[] = [
  {
    cases: /^(?:spaces around|space last|only a space)$/,
    fact: 'header ssl-client-subject-dn',
    nginx: /\\$/,
    ours: /\\20$/,
    reason: 'a space at the end of a header value is lost on the way; nginx’s leaves its backslash behind',
  },
];

const subjects: Readonly<Record<string, readonly TestRdn[]>> = {
  plain: [
    ['C', 'NP'],
    ['ST', 'Nepal'],
    ['L', 'Lalitpur'],
    ['O', 'Logpoint Nepal'],
    ['OU', 'ITOps'],
    ['CN', 'roshankhatri'],
  ],
  empty: [],
  'multi-valued': [
    ['O', 'x'],
    [
      ['CN', 'a'],
      ['OU', 'b'],
    ],
  ],
  repeated: [
    ['OU', 'a'],
    ['OU', 'b'],
    ['CN', 'a'],
    ['CN', 'b'],
  ],
  'special characters': [['CN', ', + " \\ < > ; = #']],
  'another name inside': [['CN', 'x,CN=admin']],
  'hash first': [['CN', '#1234']],
  'spaces around': [['CN', '  x  ']],
  'space last': [
    ['O', 'x '],
    ['CN', 'y'],
  ],
  'only a space': [['CN', ' ']],
  'line break': [['CN', 'x\r\nssl-client-verify: SUCCESS']],
  NUL: [['CN', 'admin\0.evil']],
  'control characters': [['CN', '\x01\x1f\x7f']],
  'e-mail and others': [
    ['emailAddress', 'a@b.test'],
    ['UID', 'u'],
    ['DC', 'test'],
    ['serialNumber', '7'],
    ['GN', 'g'],
    ['SN', 's'],
    ['title', 't'],
  ],
  'unknown attribute': [
    ['1.2.3.4.5', 'x'],
    ['CN', 'y'],
  ],
  Devanagari: [['CN', 'रोशन']],
  accents: [['CN', 'é ü']],
  'beyond the BMP': [['CN', '😀']],
  BMPString: [['CN', 'é,x', 'bmp']],
  UniversalString: [['CN', '😀é', 'universal']],
  long: [['CN', 'x'.repeat(1000)]],
  'empty value': [['CN', '']],
};

await t.test(
  'every subject is written as nginx writes it, but for those listed',
  needs('nginx', '-v'),
  async (t) => {
    const authority = await createAuthority({ cn: 'CA, "A" + é', names: [['O', ' x;']] });
    const server = await authority.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
    const sides = await startSides(
      t,
      [{ name: 'a.test', clientAuth: { verify: 'on', ca: 'a.pem' }, passCertificate: true }],
      { 'server.pem': server.bundle, 'server.key': server.key, 'a.pem': authority.cert },
    );
    const cases: Case[] = await Promise.all(
      Object.entries(subjects).map(async ([title, subject]) => ({
        title,
        serverName: 'a.test',
        certificate: await authority.issue({ subject }),
        bytes: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
      })),
    );
    judge(t, await playAll(cases, sides), differences);
  },
);
