import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { BodyBuffer, type Buffered } from '../../../src/proxy/full/buffered-body.ts';
import type { RequestBody } from '../../../src/proxy/full/request-body.ts';

const stream = (): PassThrough & RequestBody => new PassThrough() as unknown as PassThrough & RequestBody;

function read(buffer: BodyBuffer, body: RequestBody, length: number | null) {
  const told: Buffered[] = [];
  const release = buffer.read(body, length, (buffered) => told.push(buffered));
  return { told, release };
}

void t.test('what is held is given back when the request is over', async (t) => {
  const buffer = new BodyBuffer({ one: 10, all: 100 });
  const body = stream();
  const { told, release } = read(buffer, body, null);
  body.end('hello');
  await once(body, 'end');
  t.match(told, [{ whole: true, length: 5 }]);
  t.equal(buffer.held, 5);
  release();
  release();
  t.equal(buffer.held, 0);
});

void t.test('a body that outgrows the bound streams on, from its first byte', async (t) => {
  const buffer = new BodyBuffer({ one: 10, all: 100 });
  const body = stream();
  const { told } = read(buffer, body, null);
  body.write('0123456');
  body.write('789abc');
  await new Promise(setImmediate);
  t.same(told, [{ whole: false }]);
  t.equal(buffer.held, 0);
  body.end('def');
  let text = '';
  for await (const chunk of body) text += String(chunk);
  t.equal(text, '0123456789abcdef');
});

void t.test('an announced length over the bound is not begun to be held', (t) => {
  const buffer = new BodyBuffer({ one: 10, all: 100 });
  t.same(read(buffer, stream(), 11).told, [{ whole: false }]);
  t.end();
});

void t.test('many clients together hold no more than the bound of all', async (t) => {
  const buffer = new BodyBuffer({ one: 10, all: 25 });
  const bodies = Array.from({ length: 50 }, () => stream());
  const readings = bodies.map((body) => read(buffer, body, null));
  for (const body of bodies) {
    body.write('12345678');
    await new Promise(setImmediate);
    t.ok(buffer.held <= 25);
  }
  t.equal(readings.filter(({ told }) => told.length === 0).length, 3, 'three wait for the rest of theirs');
  for (const { release } of readings) release();
  t.equal(buffer.held, 0);
});
