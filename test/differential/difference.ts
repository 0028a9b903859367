import type { Test } from 'tap';
import { compare, observe, type Case, type Divergence, type Observation } from './observe.ts';

/** A difference that we want, with the reason why. */
export interface Difference {
  /** The titles of the cases that show it: all that match, and no others. */
  readonly cases: RegExp;
  /** Of those, only the ones that both sides end so. */
  readonly outcome?: RegExp;
  /** `outcome`, `connection`, `request`, `body`, or `header NAME`. */
  readonly fact: string;
  /** What nginx does; null: it has nothing there. */
  readonly nginx: RegExp | null;
  readonly ours: RegExp | null;
  readonly reason: string;
}

export interface Compared {
  readonly client: Case;
  readonly nginx: Observation;
  readonly ours: Observation;
  readonly divergences: readonly Divergence[];
}

const inFlight = 6;

/** Plays every case to both sides. */
export async function playAll(
  cases: readonly Case[],
  ports: { readonly nginx: number; readonly ours: number },
): Promise<Compared[]> {
  const results: Compared[] = [];
  const left = cases.entries();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (const [index, client] of left) {
        const [nginx, ours] = await Promise.all([observe(ports.nginx, client), observe(ports.ours, client)]);
        results[index] = { client, nginx, ours, divergences: compare(nginx, ours) };
      }
    }),
  );
  return results;
}

/** Whether the list has the divergence. */
export function isIntended(
  differences: readonly Difference[],
  compared: Compared,
  divergence: Divergence,
): boolean {
  return differences.some((difference) => names(difference, compared) && fits(difference, divergence));
}

/**
 * Holds the comparison against the list, both ways: a divergence that is not listed fails, and so does a
 * listed difference that a case it names does not show (where only a header differs: a case that both forward).
 */
export function judge(t: Test, compared: readonly Compared[], differences: readonly Difference[]): void {
  for (const one of compared) {
    const unlisted = one.divergences.filter((divergence) => !isIntended(differences, one, divergence));
    t.same(unlisted, [], one.client.title);
    // Two sides that both say nothing agree on nothing: the case itself is broken.
    const silent = /^(?:handshake failed|closed|0 no answer)/;
    const speaks = [one.nginx, one.ours].some(({ outcome = '' }) => !silent.test(outcome));
    if (!speaks) t.fail(`${one.client.title}: neither side answers: ${one.nginx['outcome']}`);
  }
  for (const difference of differences) {
    const named = compared.filter((one) => names(difference, one));
    const without = named
      .filter(({ divergences }) => !divergences.some((divergence) => fits(difference, divergence)))
      .map(({ client }) => client.title);
    t.ok(named.length > 0, `listed: ${difference.reason}: some case shows it`);
    t.same(without, [], `listed: ${difference.reason}: every case that it names shows it`);
  }
}

function names({ cases, fact, outcome }: Difference, { client, nginx, ours }: Compared): boolean {
  if (!cases.test(client.title)) return false;
  if (fact === 'outcome') return true;
  const end = nginx['outcome'];
  return end === ours['outcome'] && (outcome === undefined || outcome.test(end ?? ''));
}

function fits(difference: Difference, { fact, nginx, ours }: Divergence): boolean {
  return fact === difference.fact && fitsValue(difference.nginx, nginx) && fitsValue(difference.ours, ours);
}

function fitsValue(expected: RegExp | null, value: string | null): boolean {
  return expected === null || value === null ? expected === value : expected.test(value);
}
