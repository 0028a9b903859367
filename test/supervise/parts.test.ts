import t from 'tap';
import { BackOff } from '../../src/back-off.ts';
import { CommonProofs } from '../../src/supervise/common-proofs.ts';
import type { SharedProof } from '../../src/tls/proof-memory.ts';

const proof: SharedProof = { validUntil: 1, issuer: null, chain: [] };

void t.test('who falls at once waits twice as long each time, half a minute at most', (t) => {
  const backOff = new BackOff();
  const waits = Array.from({ length: 12 }, () => backOff.next(0));
  t.same(waits.slice(0, 5), [100, 200, 400, 800, 1600]);
  t.same(waits.slice(-3), [30_000, 30_000, 30_000]);
  t.equal(backOff.next(10_000), 100, 'who ran well begins anew');
  t.end();
});

void t.test('a question is answered at once where the proof is known', (t) => {
  const proofs = new CommonProofs();
  proofs.learn('a', proof);
  const answers: unknown[] = [];
  proofs.ask('a', (answer) => answers.push(answer));
  t.same(answers, [proof]);
  t.end();
});

void t.test('a question that is quicker than its proof waits for it, and for no other', async (t) => {
  const proofs = new CommonProofs();
  const [one, two] = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
  proofs.ask('a', one.resolve);
  proofs.ask('b', two.resolve);
  proofs.learn('a', proof);
  t.equal(await one.promise, proof);
  t.equal(await two.promise, null, 'what does not come is unknown');
});

void t.test('questions that wait and proofs that are kept are bounded', async (t) => {
  const proofs = new CommonProofs();
  let waiting = 0;
  const settled = Array.from({ length: 1024 }, (_, index) => {
    waiting++;
    return new Promise<void>((resolve) => {
      proofs.ask(`unknown ${index}`, () => {
        waiting--;
        resolve();
      });
    });
  });
  t.equal(waiting, 1024);
  let answer: unknown = 'none yet';
  proofs.ask('one more', (given) => (answer = given));
  t.equal(answer, null, 'answered at once');
  await Promise.all(settled);
  for (let index = 0; index <= 16_384; index++) proofs.learn(`proof ${index}`, proof);
  const first = Promise.withResolvers<unknown>();
  proofs.ask('proof 0', first.resolve);
  t.equal(await first.promise, null, 'the oldest went first');
});
