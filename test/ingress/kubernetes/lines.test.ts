import t from 'tap';
import { Lines } from '../../../src/ingress/kubernetes/lines.ts';

void t.test('lines come out whole, however they are cut', async (t) => {
  const text = Buffer.from('{"a":"ä"}\n\n{"b":2}\r\n{"c":3}\nrest');
  for (let size = 1; size <= text.length; size++) {
    const lines = new Lines();
    const taken: string[] = [];
    for (let at = 0; at < text.length; at += size) taken.push(...lines.take(text.subarray(at, at + size)));
    t.same(taken, ['{"a":"ä"}', '{"b":2}', '{"c":3}'], `in pieces of ${size}`);
  }
});

void t.test('a line that does not end is given up before it fills the memory', async (t) => {
  const lines = new Lines(10);
  t.same([...lines.take(Buffer.from('12345'))], []);
  t.same([...lines.take(Buffer.from('67890\n'))], ['1234567890']);
  t.same([...lines.take(Buffer.from('12345'))], []);
  t.throws(() => [...lines.take(Buffer.from('678901'))], /longer than 10 bytes/);
});
