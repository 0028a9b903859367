import { loadConfig } from './load.ts';
import { error, formatProblem } from './problem.ts';
import type { Loaded, Source, Unloadable } from './source.ts';
import { watchFiles } from './watch.ts';

/** The source of `--config FILE`: the native YAML and the files that it names. */
export function createFileSource(file: string): Source {
  let files: readonly string[] = [file];
  let readAt = Date.now();
  return {
    async load(): Promise<Loaded | Unloadable> {
      const began = Date.now();
      const loaded = await loadConfig(file);
      ({ files } = loaded);
      readAt = began;
      const problems = loaded.problems.map(formatProblem);
      if (loaded.config === undefined) return { ok: false, problems };
      const { config, material, place } = loaded;
      return {
        ok: true,
        config,
        material,
        warnings: problems,
        place: ({ path, message }) => formatProblem(place(error(path, message))),
      };
    },
    watch: (onChange) => watchFiles(() => files, onChange, { readAt: () => readAt }),
  };
}
