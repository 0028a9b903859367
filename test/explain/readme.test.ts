import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeDemoPki } from '../../src/pki/demo.ts';
import { cleanNode } from '../support/program.ts';

const project = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(project, 'README.md'), 'utf8');

/** The commands of this program that the README shows with their whole output. */
const shown = [...readme.matchAll(/```console\n\$ mtls-ingress (explain|test) (.*)\n([^]*?)\n```/g)];

/** Without what differs from one demo PKI to the next, and with names cut as the page cuts them. */
function comparable(output: string): string {
  return output
    .replaceAll(',O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP', ',…')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/serial [0-9A-F]+/g, 'serial')
    .replaceAll(/(trust store|SHA-256) [0-9a-f]{16}/g, '$1')
    .trimEnd();
}

await t.test('explain and test print what README says that they print', async (t) => {
  const dir = t.testdir();
  cpSync(join(project, 'config'), join(dir, 'config'), { recursive: true });
  await makeDemoPki(join(dir, 'certs', 'demo'));
  t.strictSame(
    [...new Set(shown.map(([, command]) => command))].toSorted((a, b) => a!.localeCompare(b!)),
    ['explain', 'test'],
  );
  for (const [, command = '', args = '', output = ''] of shown) {
    const [node, line] = cleanNode(join(project, 'src', 'main.ts'), command, ...args.split(' '));
    const ran = spawnSync(node, line, { cwd: dir, encoding: 'utf8' });
    t.equal(ran.stderr, '');
    t.equal(comparable(ran.stdout), comparable(output), command);
  }
});
