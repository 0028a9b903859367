import { error, formatProblem } from '../config/problem.ts';
import { CheckMemory } from '../config/check-memory.ts';
import { hostwiseSteps } from '../config/check.ts';
import { inSlices } from '../slices.ts';
import type { Changed, Loaded, Source, SourceProblem, Unloadable } from '../config/source.ts';
import { watchFiles } from '../config/watch.ts';
import { makeDefaultCertificate } from './default-certificate.ts';
import { ManifestReader } from './manifests.ts';
import { keyOf } from './object.ts';
import type { TranslateOptions } from './options.ts';
import { formatFault } from './parse-manifest.ts';
import { formatIngressProblem } from './problem.ts';
import { translate, TranslationMemory } from './translate.ts';

/** More lines are not logged at every load. */
const maxLines = 1000;

/**
 * The source of `--manifests PATH`: a file or a folder of Kubernetes manifests. What is wrong with an object costs that object
 * and is a warning here; only manifests that cannot be read at all keep the configuration as it was.
 */
export function createManifestSource(
  path: string,
  options: Omit<TranslateOptions, 'defaultCertificate'>,
): Source {
  const reader = new ManifestReader(path);
  let watched: readonly string[] = [path];
  let readAt = Date.now();
  let whole: Promise<TranslateOptions> | null = null;
  const memory = new TranslationMemory();
  const checks = new CheckMemory();
  return {
    async load(changed: Changed | null = null): Promise<Loaded | Unloadable> {
      const began = Date.now();
      whole ??= makeDefaultCertificate().then((defaultCertificate) => ({ ...options, defaultCertificate }));
      const manifests = await reader.read(changed);
      ({ watched } = manifests);
      readAt = began;
      if (manifests.problems.length > 0)
        return { ok: false, problems: manifests.problems.slice(0, maxLines) };
      const { configMap, requiresConfigMap } = options;
      if (
        requiresConfigMap &&
        !manifests.objects.some((object) => object.kind === 'ConfigMap' && keyOf(object) === configMap)
      ) {
        return { ok: false, problems: [`${path}:1:1 / there is no ConfigMap ${configMap}`] };
      }
      const translation = translate(manifests.objects, await whole, memory);
      const { config, material } = translation;
      checks.begin();
      const findings = await inSlices(hostwiseSteps(config, material, began, checks));
      checks.end();
      const problems: SourceProblem[] = [
        ...manifests.faults.map((fault) => ({
          severity: 'error' as const,
          kind: 'file' as const,
          line: formatFault(fault),
        })),
        ...translation.problems.map((problem) => ({
          severity: problem.severity,
          kind: problem.object.kind,
          line: formatIngressProblem(problem),
        })),
        ...(translation.defaultFault === null
          ? []
          : [
              {
                severity: 'error' as const,
                kind: 'file' as const,
                line: `${path}:1:1 / ${translation.defaultFault}`,
              },
            ]),
        ...findings.map(({ message }) => ({
          severity: 'warning' as const,
          kind: 'file' as const,
          line: `${path}:1:1 / warning: ${message}`,
        })),
      ];
      const lines = new Map(problems.map((problem) => [problem.line, problem]));
      return {
        ok: true,
        config,
        material,
        warnings: [...lines.keys()].slice(0, maxLines),
        problems: [...lines.values()],
        place: ({ path: place, message }) =>
          formatProblem({ file: path, line: 1, column: 1, ...error(place, message) }),
      };
    },
    watch: (onChange) =>
      watchFiles(() => watched, onChange, { readAt: (file) => reader.lookedAt(file) ?? readAt }),
  };
}
