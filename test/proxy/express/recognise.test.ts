import { assert, property } from 'fast-check';
import t from 'tap';
import { readHeaderBlock } from '../../../src/proxy/express/header-block.ts';
import { RequestLine } from '../../../src/proxy/express/request-line.ts';
import { readRequestHead } from '../../../src/proxy/request-head.ts';
import { plainValueBytes } from '../../../src/proxy/wire/bytes.ts';
import { Fields } from '../../../src/proxy/wire/fields.ts';
import { requestBytes } from './request-arbitrary.ts';

// Whatever the scanner takes for a plain head, the strict reader of the full lane has to read as the very same request,
// from lines that were split in the simplest way there is. FUZZ_CASES asks for a number of cases.

const cases = Number(process.env['FUZZ_CASES'] ?? 20_000);

void t.test('what the scanner recognises, the full lane reads alike', { timeout: 0 }, (t) => {
  const line = new RequestLine();
  const fields = new Fields(100);
  let recognised = 0;
  assert(
    property(requestBytes, (pieces) => {
      const bytes = Buffer.concat(pieces);
      if (line.read(bytes, 0, bytes.length) !== 'whole') return;
      if (fields.read(bytes, line.end, bytes.length, plainValueBytes) !== 'whole') return;
      const block = readHeaderBlock(bytes, line.end, fields);
      if (block === null) return;
      recognised++;
      const text = bytes.toString('latin1');
      const [first = '', ...rest] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
      const [method = '', target = '', version = '', ...more] = first.split(' ');
      const rawHeaders = rest.flatMap((one) => {
        const colon = one.indexOf(':');
        return [one.slice(0, colon), one.slice(colon + 1).replaceAll(/^[ \t]+|[ \t]+$/g, '')];
      });
      const read = readRequestHead({ method, target, httpVersion: version.slice(5), rawHeaders });
      const ours = {
        rawHeaders: block.rawHeaders,
        end: fields.end,
        method: line.method,
        path: text.slice(line.targetStart, line.queryStart),
        query: text.slice(line.queryStart, line.targetEnd),
        host: block.host,
        authority: block.authority,
        framing: block.framing,
      };
      if (!read.ok) throw new Error(`refused by the full lane: ${read.reason} ${JSON.stringify(text)}`);
      const { path, query, host, authority } = read.head;
      const theirs = {
        rawHeaders,
        end: text.indexOf('\r\n\r\n') + 4,
        method: read.head.method,
        path,
        query,
        host,
        authority,
        framing: read.framing,
      };
      if (
        more.length > 0 ||
        version.slice(0, 5) !== 'HTTP/' ||
        JSON.stringify(ours) !== JSON.stringify(theirs)
      ) {
        throw new Error(`${JSON.stringify(ours)}\n${JSON.stringify(theirs)}`);
      }
    }),
    { numRuns: cases },
  );
  t.ok(recognised > cases / 10, `${recognised} of ${cases} recognised`);
  t.end();
});
