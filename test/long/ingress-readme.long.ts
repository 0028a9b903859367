import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../support/free-port.ts';
import { hasHttpbin, startHttpbin } from '../support/httpbin.ts';
import { pattern, Shell, stepsOf } from '../support/page.ts';

const project = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(project, 'README.md'), 'utf8');
const [, section = ''] = /^## In place of ingress-nginx$(.*?)^## /ms.exec(page) ?? [];

void t.test(
  'the manifest runs with the commands of README as they are printed',
  { skip: !hasHttpbin() && process.env['CI'] !== 'true' && 'needs httpbin' },
  async (t) => {
    const copy = mkdtempSync(join(tmpdir(), 'ingress-readme-'));
    t.teardown(() => rmSync(copy, { recursive: true, force: true }));
    for (const part of ['package.json', 'bin', 'src', 'config', 'certs']) {
      const demo = join(project, 'certs', 'demo');
      cpSync(join(project, part), join(copy, part), { recursive: true, filter: (source) => source !== demo });
    }
    symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));
    const shell = new Shell(copy, {
      ...process.env,
      LC_ALL: 'C.UTF-8',
      PORT: String(await freePort()),
      ADMIN_PORT: String(await freePort()),
      HTTPBIN: await startHttpbin(t),
    });
    t.teardown(async () => {
      await shell.run('kill $(jobs -p); wait');
      await shell.end();
    });
    const steps = stepsOf(section);
    t.equal(steps.length, 5, 'README has its blocks');
    for (const { commands, prints } of steps) {
      const { printed, code } = await shell.run(commands);
      t.equal(code, 0, printed);
      t.same(
        prints.filter((line) => !pattern(line).test(printed)),
        [],
        `${commands}\n${printed}`,
      );
    }
  },
);
