import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  appendFileSync,
  watch,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { watchFiles, type WatchOptions } from '../../src/config/watch.ts';

/** A watch over files, with promises for what it does. Times are short: nothing here waits for them to pass. */
function observe(t: Test, files: readonly string[] | (() => readonly string[]), options: WatchOptions = {}) {
  const list = typeof files === 'function' ? files : () => files;
  let changes = 0;
  const changed = new Set<string>();
  let looks = 0;
  const waiting = new Set<() => void>();
  const told = (): void => {
    for (const check of waiting) check();
  };
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const handle = watchFiles(
    () => {
      looks++;
      // The look before this one is over.
      told();
      return list();
    },
    (paths) => {
      changes++;
      for (const path of paths) changed.add(path);
      told();
    },
    // The files of a test are younger than its watch; that is a test of its own.
    { quietMs: 20, longestMs: 200, pollMs: 50, readAt: () => Infinity, ...options },
  );
  // The watch itself keeps no process alive.
  const alive = setInterval(() => {}, 1 << 30);
  t.teardown(() => {
    clearInterval(alive);
    handle.close();
  });
  return {
    handle,
    changes: () => changes,
    /** Which were told of since this was last asked. */
    changed: () => {
      const paths = [...changed];
      changed.clear();
      return paths;
    },
    /** The next call back after those counted so far. */
    change: async (act: () => void) => {
      const before = changes;
      act();
      await until(() => changes > before);
    },
    /** Until so many looks have begun from now on, and with that all but the last have ended. */
    looks: async (count: number) => {
      const before = looks;
      await until(() => looks >= before + count);
    },
  };
}

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'mtls-ingress-watch-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Never polls within a test: what is seen is seen through the folders' watches. */
const eventsOnly = { pollMs: 3_600_000 };

void t.test('a file that is written calls back', async (t) => {
  const file = join(folder(t), 'a.yaml');
  writeFileSync(file, 'one');
  const seen = observe(t, [file], eventsOnly);
  await seen.looks(1);
  await seen.change(() => writeFileSync(file, 'two'));
  await seen.change(() => appendFileSync(file, ' and more'));
  t.pass();
});

void t.test('a file replaced by a rename calls back, again and again', async (t) => {
  const path = folder(t);
  const file = join(path, 'a.yaml');
  writeFileSync(file, 'one');
  const seen = observe(t, [file], eventsOnly);
  await seen.looks(1);
  for (const text of ['two', 'three', 'four']) {
    await seen.change(() => {
      writeFileSync(join(path, '.a.yaml.tmp'), text);
      renameSync(join(path, '.a.yaml.tmp'), file);
    });
  }
  t.pass();
});

void t.test('a file removed calls back, and so does its return', async (t) => {
  const file = join(folder(t), 'a.yaml');
  writeFileSync(file, 'one');
  const seen = observe(t, [file], eventsOnly);
  await seen.looks(1);
  await seen.change(() => rmSync(file));
  await seen.change(() => writeFileSync(file, 'one'));
  t.pass();
});

/** What the kubelet does for a mounted Secret: files are links through `..data`, which is renamed into place. */
function project(mount: string, version: string, contents: string): void {
  const target = `..${version}`;
  mkdirSync(join(mount, target));
  writeFileSync(join(mount, target, 'tls.crt'), contents);
  symlinkSync(target, join(mount, '..data_tmp'));
  renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
}

void t.test('a Kubernetes volume that swaps its ..data link calls back at every swap', async (t) => {
  const mount = folder(t);
  project(mount, '2026_01_01', 'one');
  symlinkSync('..data/tls.crt', join(mount, 'tls.crt'));
  const seen = observe(t, [join(mount, 'tls.crt')], eventsOnly);
  await seen.looks(1);
  await seen.change(() => {
    project(mount, '2026_01_02', 'two');
    rmSync(join(mount, '..2026_01_01'), { recursive: true });
  });
  await seen.change(() => project(mount, '2026_01_03', 'three'));
  t.pass();
});

void t.test('a file behind a link calls back when it is written where it lies', async (t) => {
  const [links, real] = [folder(t), folder(t)];
  writeFileSync(join(real, 'a.pem'), 'one');
  symlinkSync(join(real, 'a.pem'), join(links, 'a.pem'));
  const seen = observe(t, [join(links, 'a.pem')], eventsOnly);
  await seen.looks(1);
  await seen.change(() => writeFileSync(join(real, 'a.pem'), 'two'));
  t.pass();
});

void t.test('a folder removed and made anew is watched again', async (t) => {
  const path = join(folder(t), 'certs');
  const file = join(path, 'a.pem');
  mkdirSync(path);
  writeFileSync(file, 'one');
  const seen = observe(t, [file]);
  await seen.looks(1);
  await seen.change(() => rmSync(path, { recursive: true }));
  await seen.change(() => {
    mkdirSync(path);
    writeFileSync(file, 'two');
  });
  await seen.change(() => writeFileSync(file, 'three'));
  t.pass();
});

void t.test('the new folder is watched, not only polled, after it was made anew', async (t) => {
  const path = join(folder(t), 'certs');
  const file = join(path, 'a.pem');
  mkdirSync(path);
  writeFileSync(file, 'one');
  const watched: string[] = [];
  const seen = observe(t, [file], {
    watchFolder: (name, ...rest) => {
      watched.push(name);
      return watch(name, ...rest);
    },
  });
  await seen.looks(2);
  rmSync(path, { recursive: true });
  mkdirSync(path);
  await seen.change(() => writeFileSync(file, 'two'));
  t.ok(watched.filter((name) => name === path).length >= 2, 'a second watch on the same path');
});

void t.test('a burst of writes is folded into one call back', async (t) => {
  const path = folder(t);
  const file = join(path, 'a.yaml');
  writeFileSync(file, '');
  const seen = observe(t, [file], { ...eventsOnly, quietMs: 100, longestMs: 60_000 });
  await seen.looks(1);
  // A call back ends a look: with none under way, none can see the burst half done.
  await seen.change(() => appendFileSync(file, 'line\n'));
  const before = seen.changes();
  await seen.change(() => {
    for (let i = 0; i < 200; i++) appendFileSync(file, 'line\n');
  });
  writeFileSync(join(path, 'neighbour'), 'causes a look');
  await seen.looks(1);
  rmSync(join(path, 'neighbour'));
  await seen.looks(1);
  t.equal(seen.changes(), before + 1);
});

void t.test('writing that never pauses is told of all the same', async (t) => {
  const file = join(folder(t), 'a.yaml');
  writeFileSync(file, '');
  const seen = observe(t, [file], { ...eventsOnly, quietMs: 60_000, longestMs: 50 });
  await seen.looks(1);
  await seen.change(() => appendFileSync(file, 'line\n'));
  t.pass('called back long before it was quiet for a minute');
});

void t.test('a neighbour in the folder causes no call back', async (t) => {
  const path = folder(t);
  const file = join(path, 'a.yaml');
  writeFileSync(file, 'one');
  const seen = observe(t, [file], eventsOnly);
  await seen.looks(1);
  writeFileSync(join(path, 'neighbour.log'), 'noise');
  // One look because of the neighbour; a second, begun after the first has ended, because of its removal.
  await seen.looks(1);
  rmSync(join(path, 'neighbour.log'));
  await seen.looks(1);
  t.equal(seen.changes(), 0);
});

void t.test('where folders cannot be watched, polling sees the change', async (t) => {
  const file = join(folder(t), 'a.yaml');
  writeFileSync(file, 'one');
  const seen = observe(t, [file], {
    pollMs: 10,
    watchFolder: () => {
      throw Object.assign(new Error('no watches left'), { code: 'ENOSPC' });
    },
  });
  await seen.looks(1);
  await seen.change(() => writeFileSync(file, 'two'));
  await seen.change(() => rmSync(file));
  t.pass();
});

void t.test('a watch that breaks is replaced by polling', async (t) => {
  const file = join(folder(t), 'a.yaml');
  writeFileSync(file, 'one');
  const watchers: ReturnType<typeof watch>[] = [];
  const seen = observe(t, [file], {
    pollMs: 10,
    watchFolder: (name, options) => {
      if (watchers.length > 0) throw new Error('no more');
      watchers.push(watch(name, options));
      return watchers[0]!;
    },
  });
  await seen.looks(2);
  watchers[0]!.emit('error', new Error('broken'));
  await seen.change(() => writeFileSync(file, 'two'));
  t.pass();
});

void t.test('files that a reload names are watched from then on', async (t) => {
  const path = folder(t);
  const [first, second] = [join(path, 'a.yaml'), join(path, 'sub', 'b.pem')];
  mkdirSync(join(path, 'sub'));
  writeFileSync(first, 'one');
  writeFileSync(second, 'one');
  let files = [first];
  const seen = observe(t, () => files);
  await seen.looks(1);
  files = [first, second];
  await seen.looks(2);
  await seen.change(() => writeFileSync(second, 'two'));
  t.pass();
});

void t.test('a file that changed between being read and being watched calls back', async (t) => {
  const file = join(folder(t), 'a.yaml');
  const readAt = Date.now() - 60_000;
  writeFileSync(file, 'written after the reading');
  const seen = observe(t, [file], { ...eventsOnly, readAt: () => readAt });
  await seen.change(() => {});
  t.equal(seen.changes(), 1);
});

void t.test('a file that was read after its last change does not call back', async (t) => {
  const file = join(folder(t), 'a.yaml');
  writeFileSync(file, 'one');
  const readAt = Date.now() + 60_000;
  const seen = observe(t, [file], { pollMs: 5, readAt: () => readAt });
  await seen.looks(5);
  t.equal(seen.changes(), 0);
});

void t.test('after close nothing is called back', async (t) => {
  const path = folder(t);
  const file = join(path, 'a.yaml');
  writeFileSync(file, 'one');
  const seen = observe(t, [file], { pollMs: 5 });
  const other = observe(t, [file], { pollMs: 5 });
  await Promise.all([seen.looks(2), other.looks(2)]);
  seen.handle.close();
  await other.change(() => writeFileSync(file, 'two'));
  await other.looks(5);
  t.equal(seen.changes(), 0);
});

void t.test(
  'a file that comes to fit a pattern, or no longer does, calls back; any other does not',
  async (t) => {
    const path = folder(t);
    writeFileSync(join(path, 'a.yaml'), 'a');
    const watched = observe(t, [join(path, 'a.yaml')], {
      ...eventsOnly,
      patterns: () => [join(path, '*.yaml')],
    });
    await watched.looks(1);
    await watched.change(() => {
      writeFileSync(join(path, 'b.new'), 'b');
      renameSync(join(path, 'b.new'), join(path, 'b.yaml'));
    });
    await watched.change(() => rmSync(join(path, 'b.yaml')));
    const before = watched.changes();
    writeFileSync(join(path, 'c.txt'), 'c');
    await watched.looks(1);
    writeFileSync(join(path, 'd.txt'), 'd');
    await watched.looks(1);
    t.equal(watched.changes(), before);
  },
);

void t.test('a folder of a pattern that is not there yet is found by polling', async (t) => {
  const path = folder(t);
  const watched = observe(t, [], { patterns: () => [join(path, 'hosts.d/*.yaml')] });
  await watched.looks(2);
  await watched.change(() => {
    mkdirSync(join(path, 'hosts.d'));
    writeFileSync(join(path, 'hosts.d/a.yaml'), 'a');
  });
});

void t.test('those that have changed are told, and no others', async (t) => {
  const path = folder(t);
  const files = ['a', 'b', 'c'].map((name) => join(path, name));
  for (const file of files) writeFileSync(file, 'one');
  const seen = observe(t, [...files, path], eventsOnly);
  await seen.looks(1);
  await seen.change(() => writeFileSync(files[1]!, 'two'));
  t.same(seen.changed(), [files[1]]);
  await seen.change(() => rmSync(files[2]!));
  t.same(seen.changed(), [files[2], path]);
});

void t.test('each file that is new to the list is held against when it itself was read', async (t) => {
  const path = folder(t);
  const files = ['a', 'b'].map((name) => join(path, name));
  for (const file of files) writeFileSync(file, 'one');
  const readAt = (file: string): number => Date.now() + (file === files[0] ? 60_000 : -60_000);
  const seen = observe(t, files, { ...eventsOnly, readAt });
  await seen.change(() => {});
  t.same(seen.changed(), [files[1]]);
});
