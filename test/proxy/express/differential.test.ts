import { assert, asyncProperty, constantFrom, pre } from 'fast-check';
import t from 'tap';
import { startPair } from './both-lanes.ts';
import { requestBytes } from './request-arbitrary.ts';
import { responseBytes } from './response-arbitrary.ts';

// The same bytes, cut at random places, go to both lanes: what the upstream was sent and what the client got have to be
// the same. FUZZ_CASES asks for a number of cases (FUZZ_SEED for a seed); without, as many as fit into a few seconds.

const cases = Number(process.env['FUZZ_CASES'] ?? 0);
const seed = process.env['FUZZ_SEED'];

await t.test('both lanes make the same of any bytes', { timeout: 0 }, async (t) => {
  const pair = await startPair(t, 'echo');
  let run = 0;
  const property = asyncProperty(requestBytes, async (pieces) => {
    const { express, full } = await pair.run(pieces);
    run++;
    if (JSON.stringify(express) !== JSON.stringify(full)) {
      throw new Error(`express ${JSON.stringify(express, null, 1)}\nfull ${JSON.stringify(full, null, 1)}`);
    }
  });
  await assert(property, {
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(cases > 0 ? { numRuns: cases } : { numRuns: 1_000_000, interruptAfterTimeLimit: 3000 }),
  });
  t.ok(run > 100, `${run} cases`);
});

await t.test(
  'what the express lane makes of any answer, the full lane does too',
  { timeout: 0 },
  async (t) => {
    const pair = await startPair(t, 'raw');
    let delivered = 0;
    const property = asyncProperty(
      constantFrom('GET', 'HEAD', 'POST'),
      responseBytes,
      async (method, answer) => {
        // undici takes a 100 for a breach once there was another interim response; RFC 9110 §15.2 has no order among them.
        pre(!/HTTP\/1\.1 103[^]*HTTP\/1\.1 100/.test(Buffer.concat(answer).toString('latin1')));
        pair.answer = answer;
        const request = Buffer.from(`${method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`);
        const { express, full } = await pair.run([request]);
        // Stricter it may be: then it says so, or breaks off. Never anything else.
        const ours = JSON.stringify(express.client);
        if (ours === JSON.stringify(full.client)) delivered++;
        else if (!/^\[(?:"refused"|"cut[^"]*")?\]$|\(cut\)"\]$/.test(ours)) {
          throw new Error(
            `express ${JSON.stringify(express, null, 1)}\nfull ${JSON.stringify(full, null, 1)}`,
          );
        }
      },
    );
    await assert(property, {
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(cases > 0 ? { numRuns: cases } : { numRuns: 1_000_000, interruptAfterTimeLimit: 1500 }),
    });
    t.ok(delivered > 50, `${delivered} answers alike`);
  },
);
