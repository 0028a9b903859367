import * as fc from 'fast-check';
import t from 'tap';
import { normalisePath } from '../../src/snapshot/path.ts';
import { headerText } from '../../src/proxy/headers/escape.ts';
import { observe, type Case, type Observation } from '../differential/observe.ts';
import { startSides, type Sides } from '../differential/sides.ts';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';

// Random requests and random subjects, with real nginx as the judge; test/differential has the listed ones.

const runs = 1500;

await t.test('random paths and subjects are read as nginx reads them', needs('nginx', '-v'), async (t) => {
  const authority = await createAuthority({ cn: 'CA A' });
  const server = await authority.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
  const sides = await startSides(
    t,
    [{ name: 'a.test', clientAuth: { verify: 'on', ca: 'a.pem' }, passCertificate: true }],
    { 'server.pem': server.bundle, 'server.key': server.key, 'a.pem': authority.cert },
  );
  const known = await authority.issue({ cn: 'a' });

  await t.test('a path is refused by both or by none, and ours is nginx’s in its one spelling', async (t) => {
    // Without %2F, which nginx takes for a slash and we leave to the hazards of path.ts, and without what
    // cannot stand in a target.
    const piece = fc.constantFrom(
      '/',
      '/',
      '/',
      '.',
      '..',
      '/../',
      '/./',
      '%2e',
      '%2E',
      '%',
      '%2',
      '%zz',
      '%00',
      '%41',
      '%25',
      '%5c',
      '\\',
      ';',
      ':',
      '@',
      '+',
      '%20',
      '%7e',
      '%c3%a9',
      '%C0%AE',
      'x',
      'y',
      '"',
      '<',
      '|',
      '[',
      '~',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const path = `/${pieces.join('')}`;
        const bytes = `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`;
        const [nginx, ours] = await both(sides, {
          title: path,
          serverName: 'a.test',
          certificate: known,
          bytes,
        });
        if (nginx['outcome'] !== ours['outcome']) return false;
        if (nginx['request'] === undefined) return nginx['outcome'] === '400 Bad Request';
        const sent = normalisePath(nginx['request'].split(' ')[1] ?? '')?.path;
        return ours['request'] === `GET ${sent} HTTP/1.1`;
      }),
      { numRuns: runs },
    );
    t.pass(`${runs} paths`);
  });

  await t.test('a subject is written as nginx writes it, but for a space at its end', async (t) => {
    const character = fc.oneof(
      fc.constantFrom(',', ' ', '+', '"', '\\', '<', '>', ';', '=', '#', '/', 'ö', '\0', '\n', '\r'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    // Lone surrogates are no text; certificates hold UTF-8.
    const value = fc
      .array(character, { minLength: 1, maxLength: 20 })
      .map((characters) => characters.join('').toWellFormed());
    const attribute = fc.tuple(fc.constantFrom('CN', 'O', 'OU', 'L', 'ST', 'title', '1.2.3.4'), value);
    const rdn = fc.oneof(attribute, fc.array(attribute, { minLength: 1, maxLength: 3 }));
    await fc.assert(
      fc.asyncProperty(fc.array(rdn, { minLength: 1, maxLength: 4 }), async (rdns) => {
        const certificate = await authority.issue({ subject: rdns });
        const bytes = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
        const [nginx, ours] = await both(sides, { title: '', serverName: 'a.test', certificate, bytes });
        const subject = nginx['header ssl-client-subject-dn'] ?? '';
        // The wire took the space that nginx had escaped.
        const lost = /(?<!\\)(?:\\\\)*\\$/.test(subject);
        return (
          nginx['outcome'] === 'forwarded 200' &&
          ours['outcome'] === 'forwarded 200' &&
          nginx['header ssl-client-cert'] === ours['header ssl-client-cert'] &&
          ours['header ssl-client-subject-dn'] === (lost ? headerText(`${subject} `) : subject)
        );
      }),
      { numRuns: runs / 3 },
    );
    t.pass(`${runs / 3} subjects`);
  });
});

function both(sides: Sides, client: Case): Promise<[nginx: Observation, ours: Observation]> {
  return Promise.all([observe(sides.nginx, client), observe(sides.ours, client)]);
}
