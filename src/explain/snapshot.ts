import type { Source } from '../config/source.ts';
import { compile } from '../snapshot/compile.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** The snapshot that a source would be served with, or what is wrong with it, a line each. Never rejects. */
export async function snapshotOf(
  source: Source,
): Promise<{ readonly snapshot: Snapshot } | { readonly problems: readonly string[] }> {
  const loaded = await source.load();
  if (!loaded.ok) return { problems: loaded.problems };
  const compiled = compile(loaded.config, loaded.material);
  if (compiled.ok) return { snapshot: compiled.snapshot };
  return { problems: compiled.problems.map((problem) => loaded.place(problem)) };
}
