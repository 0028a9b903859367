import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import { LogSink } from '../../src/observe/log-sink.ts';

const run = promisify(execFile);
const sinkModule = new URL('../../src/observe/log-sink.ts', import.meta.url).href;

/** A named pipe, its reading end open and not read from. */
async function pipe(dir: string): Promise<{ reader: number; writer: number }> {
  const path = join(dir, 'pipe');
  await run('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

/** Everything that the pipe holds now. */
function drain(reader: number): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    try {
      const count = readSync(reader, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') break;
      throw error;
    }
  }
  return Buffer.concat(chunks).toString();
}

void t.test('lines come out whole and in order, and closing writes the last of them', async (t) => {
  const path = join(t.testdir(), 'log');
  const fd = openSync(path, 'w');
  const sink = new LogSink({ fd });
  const lines = Array.from({ length: 5000 }, (_, index) => `${index} ${'ü'.repeat(index % 90)}\n`);
  for (const [index, line] of lines.entries()) {
    sink.write(line);
    if (index % 1000 === 0) await new Promise(setImmediate);
  }
  await sink.close(5000);
  t.equal(readFileSync(path, 'utf8'), lines.join(''));
  writeSync(fd, 'the descriptor is still ours');
  closeSync(fd);
});

void t.test(
  'a reader that does not read costs a bounded number of bytes; the rest is dropped and counted',
  async (t) => {
    const { reader, writer } = await pipe(t.testdir());
    const dropped: string[] = [];
    const sink = new LogSink({ fd: writer, maxBytes: 200_000, onDrop: (reason) => dropped.push(reason) });
    const line = `${'x'.repeat(999)}\n`;
    for (let index = 0; index < 1000; index++) {
      sink.write(line);
      if (index % 50 === 0) await new Promise(setImmediate);
    }
    t.ok(dropped.length >= 1000 - 200 - 66, `${dropped.length} dropped: a pipe takes 65 of them`);
    t.ok(dropped.length <= 1000 - 200, `${dropped.length} dropped`);
    t.ok(dropped.every((reason) => reason === 'back_pressure'));
    const before = dropped.length;
    let text = '';
    const stream = new Socket({ fd: reader, readable: true, writable: false });
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    // Closes the writing end, so that the stream ends when all of it has been read.
    await Promise.all([sink.close(10_000), once(stream, 'end')]);
    t.equal(dropped.length, before, 'what was kept was written once the reader came back');
    t.equal(text, line.repeat(1000 - before));
  },
);

void t.test('closing does not wait for a reader that never reads, and counts what it lost', async (t) => {
  const { reader, writer } = await pipe(t.testdir());
  let dropped = 0;
  const sink = new LogSink({ fd: writer, onDrop: () => dropped++ });
  for (let index = 0; index < 200; index++) sink.write(`${'x'.repeat(999)}\n`);
  await sink.close(50);
  const written = drain(reader).length;
  t.ok(dropped >= 200 - Math.floor(written / 1000), `${dropped} dropped, ${written} bytes written`);
  sink.write('late\n');
  t.equal(drain(reader).includes('late'), false);
  closeSync(reader);
});

void t.test('a reader that is gone ends the log, not the program', async (t) => {
  const { reader, writer } = await pipe(t.testdir());
  closeSync(reader);
  const lost = Promise.withResolvers<string>();
  const sink = new LogSink({ fd: writer, onDrop: lost.resolve });
  sink.write('nobody listens\n');
  t.equal(await lost.promise, 'error');
});

void t.test('a full disk loses the line it has no room for, and is tried again with the next', async (t) => {
  const fd = openSync('/dev/full', 'w');
  const reasons: string[] = [];
  const sink = new LogSink({ fd, onDrop: (reason) => reasons.push(reason) });
  sink.write('one\n');
  sink.write('two\n');
  await sink.close(5000);
  t.same(reasons, ['error', 'error']);
  closeSync(fd);
});

void t.test('a process whose log nobody reads still exits', async (t) => {
  const script = `
    import { LogSink } from ${JSON.stringify(sinkModule)};
    const sink = new LogSink();
    for (let index = 0; index < 2000; index++) sink.write('x'.repeat(999) + '\\n');
    setImmediate(() => process.exit(7));
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  t.equal(code, 7);
  child.stdout.destroy();
});

void t.test('a process that ends without closing its log still writes the last lines', async (t) => {
  const script = `
    import { LogSink } from ${JSON.stringify(sinkModule)};
    const sink = new LogSink();
    sink.write('first\\n');
    sink.write('last words\\n');
    process.exit(1);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) lines.push(line);
  t.same(lines, ['first', 'last words']);
});

void t.test('characters that act on a terminal are escaped, and JSON reads them back', async (t) => {
  const path = join(t.testdir(), 'log');
  const texts = fc.sample(fc.string({ unit: 'binary' }), 200);
  texts.push('\u009b31m', '\u202egnp.exe', '\u2028', '\u007f', '\u0085', '\u2066', '\ufeff', 'Jürgen 😀');
  const fd = openSync(path, 'w');
  const sink = new LogSink({ fd });
  for (const text of texts) sink.write(`${JSON.stringify({ text })}\n`);
  await sink.close(5000);
  closeSync(fd);
  const log = readFileSync(path, 'utf8');
  t.notMatch(log, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
  t.match(log, 'Jürgen 😀');
  t.same(
    log
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { text: string }).text),
    texts,
  );
});
