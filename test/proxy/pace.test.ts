import t from 'tap';
import { Pace } from '../../src/proxy/full/pace.ts';

await t.test('what went too fast is waited for, but for the first bytes', async (t) => {
  let now = 0;
  const pace = new Pace(1000, 500, () => now);
  t.equal(pace.sent(500), 0);
  t.equal(pace.sent(100), 100);
  now = 100;
  t.equal(pace.sent(1000), 1000);
  now = 5000;
  t.equal(pace.sent(100), 0, 'who was slow has time to spare');
});
