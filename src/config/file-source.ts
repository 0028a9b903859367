import { dirname, resolve } from 'node:path';
import { materialSteps } from './check.ts';
import { loadConfig, LoadMemory } from './load.ts';
import { error, formatProblem, warning } from './problem.ts';
import type { Loaded, Source, Unloadable } from './source.ts';
import { watchFiles } from './watch.ts';

/**
 * The source of `--config FILE`: the native YAML and the files that it names. At every load it warns of dates, names and
 * CRLs that clients will stumble over.
 */
export function createFileSource(file: string): Source {
  let files: readonly string[] = [file];
  let patterns: readonly string[] = [];
  let readAt = Date.now();
  const memory = new LoadMemory();
  return {
    async load(): Promise<Loaded | Unloadable> {
      const began = Date.now();
      // An expired certificate of one host is no reason to refuse a reload for all.
      const loaded = await loadConfig(
        file,
        function* (config, material, ...known) {
          const findings = yield* materialSteps(config, material, began, ...known);
          return findings.map(({ path, message }) => warning(path, message));
        },
        memory,
      );
      ({ files, patterns } = loaded);
      readAt = began;
      const problems = loaded.problems.map(formatProblem);
      if (loaded.config === undefined) return { ok: false, problems };
      const { config, material, place } = loaded;
      return {
        ok: true,
        config,
        material,
        ...(config.denyList === undefined ? {} : { denyListFile: resolve(dirname(file), config.denyList) }),
        warnings: problems,
        place: ({ path, message }) => formatProblem(place(error(path, message))),
      };
    },
    watch: (onChange) =>
      watchFiles(() => files, onChange, { readAt: () => readAt, patterns: () => patterns }),
  };
}
