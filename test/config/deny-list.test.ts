import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config/load.ts';
import { folder, material, valid } from './fixture.ts';

const files = await material();

async function load(t: Test, denied: string) {
  const path = folder(t, { ...files, 'denied.yaml': denied, 'c.yaml': `${valid}denyList: denied.yaml\n` });
  return { path, loaded: await loadConfig(join(path, 'c.yaml')) };
}

void t.test('a deny list is read and watched; one with a fault is told of with its line', async (t) => {
  const good = await load(t, "- serial: '0A0B'\n  issuer: CN=Root\n- cn: 'R\u00f6mer'\n");
  t.same(good.loaded.problems, []);
  t.ok(good.loaded.files.includes(join(good.path, 'denied.yaml')));
  const faults: Record<string, RegExp> = {
    '- cn: x\n- serail: 01\n': /`denied.yaml` line 2: .*`serail` is none of them/,
    '# nobody\n': /holds no list/,
    '- cn: [': /./,
    '': /is empty/,
  };
  for (const [text, message] of Object.entries(faults)) {
    const { loaded } = await load(t, text);
    t.match(loaded.problems[0], { path: '/denyList', message, severity: 'error' }, text);
    t.equal(loaded.config, undefined);
  }
});
