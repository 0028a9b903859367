import t from 'tap';
import { readHtpasswd } from '../../src/config/htpasswd.ts';

await t.test('names and hashes are read, comments passed over, a further field left out', async (t) => {
  const bcrypt = '$2y$05$abcdefghijklmnopqrstuu5LnkOtgIYCnkVaiYZSNRiNzSWhYE8Mq';
  const text = `# staff\n\nann:${bcrypt}\r\nbob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=:Bob B.\n`;
  const { entries, problems } = readHtpasswd(text);
  t.same(entries, [
    ['ann', bcrypt],
    ['bob', '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='],
  ]);
  t.same(problems, []);
});

await t.test('what cannot be used is told with its line, never with its hash', async (t) => {
  const lines = [
    'ann',
    ':x',
    'bob:plain',
    'eve:$6$salt$hash',
    `eva:$2y$19$${'a'.repeat(53)}`,
    'x'.repeat(2000),
  ];
  const { entries, problems } = readHtpasswd(lines.join('\n'));
  t.same(entries, []);
  t.equal(problems.length, lines.length);
  t.match(problems[2], /3rd line, user.*bob.*htpasswd -B/);
  t.match(problems[4], /cost of 19/);
  t.notMatch(problems.join(), /plain|hash\b.*salt\$/);
});
