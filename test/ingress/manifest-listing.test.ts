import * as fc from 'fast-check';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { ManifestListing } from '../../src/ingress/manifest-listing.ts';

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'mtls-ingress-listing-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Counts as a clock: later looks have greater times. */
function ticks(): () => number {
  let now = 0;
  return () => ++now;
}

async function everything(path: string): Promise<unknown> {
  const { files, watched, problems } = await new ManifestListing(path, () => 0).look(null);
  return { files, watched, problems };
}

async function after(listing: ManifestListing, changed: readonly string[]): Promise<unknown> {
  const { files, watched, problems } = await listing.look(new Set(changed));
  return { files: files.map((file) => ({ ...file, lookedAt: 0 })), watched, problems };
}

/** What a folder may be made of: names that count and names that do not, folders among them. */
const places = ['', 'a', 'a/b', 'a/b.yaml'].flatMap((parent) =>
  ['a', 'b.yaml', 'c.json', '.d.yaml', 'e.txt', 'kustomization.yaml'].map((name) => join(parent, name)),
);

void t.test('told what has changed, it finds what a look at everything finds', async (t) => {
  const change = fc.record({
    act: fc.constantFrom('write', 'write', 'write', 'remove', 'folder', 'move'),
    place: fc.constantFrom(...places),
    other: fc.constantFrom(...places),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
      const dir = mkdtempSync(join(tmpdir(), 'mtls-ingress-listing-'));
      try {
        const listing = new ManifestListing(dir, ticks());
        let { watched } = await listing.look(null);
        for (const [index, { act, place, other }] of changes.entries()) {
          const path = join(dir, place);
          const source = act === 'move' ? join(dir, other) : path;
          try {
            if (act === 'write') writeFileSync(path, 'x'.repeat(index + 1));
            else if (act === 'folder') mkdirSync(path);
            else if (act === 'remove') rmSync(path, { recursive: true });
            else renameSync(source, path);
          } catch {
            // There was nothing to be done there.
            continue;
          }
          // What a watch would have seen: the paths, what was in them, and their folders.
          const touched = watched.filter((one) =>
            [path, source].some(
              (where) => one === where || one === dirname(where) || one.startsWith(`${where}/`),
            ),
          );
          t.same(await after(listing, touched), await everything(dir), `${act} ${place}`);
          ({ watched } = await listing.look(new Set()));
        }
      } finally {
        rmSync(dir, { recursive: true });
      }
    }),
    { numRuns: 150 },
  );
});

void t.test('only what has changed is looked at', async (t) => {
  const dir = folder(t);
  const [a, b, c] = [join(dir, 'a.yaml'), join(dir, 'b.yaml'), join(dir, 'c.yaml')];
  for (const file of [a, b]) writeFileSync(file, 'one');
  const listing = new ManifestListing(dir, ticks());
  await listing.look(null);
  const times = (): (number | null)[] => [dir, a, b, c].map((path) => listing.lookedAt(path));
  t.same(times(), [1, 1, 1, null]);
  writeFileSync(a, 'other');
  await listing.look(new Set([a]));
  t.same(times(), [1, 2, 1, null]);
  writeFileSync(c, 'new');
  await listing.look(new Set([dir]));
  t.same(times(), [3, 2, 1, 3], 'of a folder the new names');
  await listing.look(null);
  t.same(times(), [4, 4, 4, 4]);
});

void t.test(
  'a path nobody listed, and a folder in the place of another, make it look at everything',
  async (t) => {
    const dir = folder(t);
    mkdirSync(join(dir, 'sub'));
    const file = join(dir, 'sub', 'a.yaml');
    writeFileSync(file, 'one');
    const listing = new ManifestListing(dir, ticks());
    await listing.look(null);
    await listing.look(new Set([join(dir, 'elsewhere.yaml')]));
    t.not(listing.lookedAt(file), 1);
    mkdirSync(join(dir, 'next'));
    const { ino } = lstatSync(join(dir, 'sub'));
    writeFileSync(join(dir, 'next', 'b.yaml'), 'two');
    rmSync(join(dir, 'sub'), { recursive: true });
    renameSync(join(dir, 'next'), join(dir, 'sub'));
    t.not(lstatSync(join(dir, 'sub')).ino, ino);
    t.same(await after(listing, [join(dir, 'sub')]), await everything(dir));
  },
);

void t.test(
  "a link's new target is looked at, a folder behind one too, and one that leads back ends there",
  async (t) => {
    const [dir, real] = [folder(t), folder(t)];
    for (const version of ['one', 'two']) {
      mkdirSync(join(real, version, 'sub'), { recursive: true });
      writeFileSync(join(real, version, 'sub', 'a.yaml'), version);
      writeFileSync(join(real, version, 'b.yaml'), version);
    }
    symlinkSync(join(real, 'one'), join(dir, '..data'));
    symlinkSync(join('..data', 'b.yaml'), join(dir, 'b.yaml'));
    symlinkSync(join('..data', 'sub'), join(dir, 'sub'));
    symlinkSync('.', join(dir, 'loop'));
    const listing = new ManifestListing(dir, ticks());
    await listing.look(null);
    rmSync(join(dir, '..data'));
    symlinkSync(join(real, 'two'), join(dir, '..data'));
    t.same(
      await after(listing, [join(dir, 'b.yaml'), join(dir, 'sub'), join(dir, 'sub', 'a.yaml'), dir]),
      await everything(dir),
    );
    writeFileSync(join(dir, 'c.yaml'), 'three');
    t.same(await after(listing, [dir, join(dir, 'loop')]), await everything(dir));
    t.ok(existsSync(join(dir, 'loop', 'c.yaml')));
    t.equal(listing.lookedAt(join(dir, 'loop', 'c.yaml')), null, 'listed once');
  },
);
