import { checkMaterial } from '../config/check.ts';
import type { Source } from '../config/source.ts';
import { compile } from '../snapshot/compile.ts';
import { configurationFindings } from './configuration.ts';
import type { Finding, PlacedFinding } from './finding.ts';
import { runtimeFindings } from './runtime.ts';
import { selfTest } from './self-test.ts';
import { systemFindings } from './system.ts';
import { upstreamFindings } from './upstreams.ts';

const order = { error: 0, warning: 1, info: 2 } as const;

/**
 * All that is wrong with a configuration, the runtime and the system, the worst first. Never rejects.
 *
 * @param now Milliseconds since 1970.
 * @param offline No upstream is connected to.
 */
export async function examine(source: Source, now: number, offline: boolean): Promise<Finding[]> {
  const { node, openssl } = process.versions;
  const findings = [...runtimeFindings(node, openssl), ...(await selfTest())];
  const loaded = await source.load();
  const cannot = (lines: readonly string[]): void => {
    findings.push(...lines.map((line) => findingOf(line, 'error')));
  };
  if (!loaded.ok) {
    cannot(loaded.problems);
    return findings;
  }
  const { config, material } = loaded;
  const compiled = compile(config, material);
  if (!compiled.ok) {
    cannot(compiled.problems.map((problem) => loaded.place(problem)));
    return findings;
  }
  const { snapshot } = compiled;
  const checked = checkMaterial(config, material, now);
  const placed: PlacedFinding[] = checked.map(({ path, message, severity }) => ({
    severity,
    about: 'certificates',
    path,
    message,
    fix: '',
  }));
  placed.push(...configurationFindings(config, snapshot));
  if (!offline) placed.push(...(await upstreamFindings(snapshot)));
  for (const { path, ...finding } of placed) {
    findings.push({ ...finding, place: loaded.place({ path, message: '' }).trim() });
  }
  // What only the loading says: it knows of files, and what was written.
  const told = new Set(placed.map(({ message }) => message));
  for (const line of loaded.warnings) {
    if ([...told].some((message) => line.endsWith(message))) continue;
    findings.push(findingOf(line, 'warning'));
  }
  findings.push(...(await systemFindings(snapshot)));
  return findings.sort((one, two) => order[one.severity] - order[two.severity]);
}

/** Of a line as sources write it: `file:line:column /path warning: what is wrong`. */
function findingOf(line: string, severity: Finding['severity']): Finding {
  const [, place = null, label, message = line] =
    /^(.{1,4200}?:\d+:\d+ \/\S*) (warning: )?(.*)$/.exec(line) ?? [];
  return {
    severity: label === undefined ? severity : 'warning',
    about: 'configuration',
    place,
    message,
    fix: '',
  };
}
