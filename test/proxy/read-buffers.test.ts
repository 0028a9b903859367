import t from 'tap';
import { collectedBytes, ReadBuffers } from '../../src/proxy/read-buffers.ts';

void t.test('young garbage is collected each time so many bytes were read', (t) => {
  let collections = 0;
  const buffers = new ReadBuffers(() => collections++);
  buffers.read(collectedBytes - 1);
  t.equal(collections, 0);
  buffers.read(1);
  t.equal(collections, 1);
  buffers.read(1);
  t.equal(collections, 1, 'counted from the start again');
  buffers.read(collectedBytes);
  t.equal(collections, 2);
  t.end();
});

void t.test('what was read and is done with is let go of long before V8 would', (t) => {
  const buffers = new ReadBuffers();
  let most = 0;
  for (let read = 0; read < 16 * collectedBytes; read += 65_536) {
    const buffer = Buffer.alloc(65_536, 1);
    buffers.read(buffer.length);
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }
  t.ok(most < 5 * collectedBytes, `at most ${most} bytes lay about`);
  t.equal('gc' in globalThis, false, 'and nobody else is given the means');
  t.end();
});
