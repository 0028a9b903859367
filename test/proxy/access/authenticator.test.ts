import { hashSync } from 'bcryptjs';
import t from 'tap';
import { Authenticator, readCredentials } from '../../../src/proxy/access/authenticator.ts';
import { passwordMatches } from '../../../src/proxy/access/password.ts';

const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

await t.test('hashes of htpasswd are told from those of another password', async (t) => {
  // `openssl passwd -apr1 -salt …` and `htpasswd -s` say so.
  const hashes = [
    ['secret', '$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/'],
    ['', '$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie.'],
    ['pässwörd much longer than sixteen bytes', '$apr1$x$1Kc.xAHkeMqw3c4trEvCr0'],
    ['secret', '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='],
    ['secret', hashSync('secret', 4)],
    ['secret', hashSync('secret', 4).replace('$2b$', '$2y$')],
  ] as const;
  for (const [password, hash] of hashes) {
    t.equal(await passwordMatches(password, hash), true, hash);
    t.equal(await passwordMatches(`${password}x`, hash), false, hash);
  }
  for (const hash of ['secret', '', '{PLAIN}secret', '$1$a$b', '$5$a$b']) {
    t.equal(await passwordMatches('secret', hash), false, hash);
  }
});

await t.test('only name and password in base64 are credentials', async (t) => {
  t.same(readCredentials(basic('ann', 'a:b')), { name: 'ann', password: 'a:b' });
  t.same(readCredentials(basic('ann', '').replace('Basic', 'bAsIc ')), { name: 'ann', password: '' });
  const none = [
    '',
    'Basic',
    'Bearer abc',
    `Basic ${Buffer.from('no colon').toString('base64')}`,
    basic('', 'x'),
    basic('a\nb', 'x'),
    `${basic('a', 'b')} trailing`,
    basic('a', 'x'.repeat(3000)),
    'Basic ***',
  ];
  for (const header of none) t.equal(readCredentials(header), null, header.slice(0, 40));
});

await t.test('a user with its password is let in, and no one else', async (t) => {
  const authenticator = new Authenticator();
  const auth = { realm: '', users: new Map([['ann', hashSync('secret', 4)]]) };
  t.equal(await authenticator.authenticate(auth, basic('ann', 'secret')), 'yes');
  t.equal(await authenticator.authenticate(auth, basic('ann', 'secret')), 'yes', 'from memory');
  t.equal(await authenticator.authenticate(auth, basic('ann', 'wrong')), 'no');
  t.equal(await authenticator.authenticate(auth, basic('bob', 'secret')), 'no', 'a name that is not there');
  t.equal(await authenticator.authenticate(auth, null), 'no');
  const changed = { realm: '', users: new Map([['ann', hashSync('new', 4)]]) };
  t.equal(await authenticator.authenticate(changed, basic('ann', 'secret')), 'no', 'after its hash changed');
  const empty = { realm: '', users: new Map<string, string>() };
  t.equal(await authenticator.authenticate(empty, basic('ann', 'secret')), 'no', 'no users, no one');
});

await t.test('guesses wait for their turn, and beyond a bound are told to come back', async (t) => {
  const authenticator = new Authenticator();
  const auth = { realm: '', users: new Map([['ann', hashSync('secret', 4)]]) };
  const guesses = Array.from({ length: 300 }, (_, number) =>
    authenticator.authenticate(auth, basic('ann', `guess ${number}`)),
  );
  const results = await Promise.all(guesses);
  t.equal(results.filter((result) => result === 'busy').length, 300 - 2 - 256);
  t.equal(results.filter((result) => result === 'no').length, 258);
  t.equal(await authenticator.authenticate(auth, basic('ann', 'secret')), 'yes', 'and then it is free again');
});
