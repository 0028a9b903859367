import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ManyHosts } from './many-hosts.ts';
import { summary } from './measure.ts';
import type { Taken } from './reload-program.ts';
import type { Rig } from './rig.ts';

// What many hosts cost: the start, a reload with nothing changed, with one host changed, renewed, added, removed,
// the longest time that nothing else ran, and memory. Each number of hosts in a process of its own. HOSTS=100,1000
// says how many; they are in one file, with SPLIT=1 in included files of their own.

const sizes = (process.env['HOSTS'] ?? '100,1000,5000').split(',').map(Number);
const rounds = Number(process.env['ROUNDS'] ?? 7);
const split = process.env['SPLIT'] === '1';

export async function measureReload(rig: Rig): Promise<void> {
  console.log(
    `Hosts ${split ? 'in files of their own' : 'in one file'}; ${rounds} rounds, median (middle half):`,
  );
  for (const size of sizes) await measureSize(rig, size);
}

async function measureSize(rig: Rig, size: number): Promise<void> {
  const many = await ManyHosts.create(join(rig.dir, String(size)), size, split);
  const program = new Program(rig, many.file);
  const start = await program.tell('start');
  const bare = await idleMemory(rig);
  console.log(
    `${size} hosts: load ${start.ms.toFixed(0)} ms, longest stall ${start.stallMs.toFixed(0)} ms, ` +
      `memory ${start.memory.toFixed(0)} MiB (${(((start.memory - bare) * 1024) / size).toFixed(0)} kB a host)`,
  );
  const acts: Readonly<Record<string, (round: number) => unknown>> = {
    'nothing changed': () => {},
    'one host edited': (round) => many.edit(size >> 1, 2 + round),
    'one certificate renewed': () => many.renew(size >> 1),
    'one host added': () => many.edit(size, 1),
    'one host removed': () => many.remove(size),
  };
  await many.renew(size);
  const taken = new Map<string, Taken[]>(Object.keys(acts).map((name) => [name, []]));
  let version = start.version;
  for (let round = 0; round < rounds; round++) {
    for (const [name, act] of Object.entries(acts)) {
      await act(round);
      const one = await program.tell('reload');
      if ((one.version === version) !== (name === 'nothing changed'))
        throw new Error(`${name}: not taken over`);
      ({ version } = one);
      taken.get(name)!.push(one);
    }
  }
  for (const [name, all] of taken) {
    const times = summary(
      all.map(({ ms }) => ms),
      1,
    );
    const stalls = summary(
      all.map(({ stallMs }) => stallMs),
      1,
    );
    console.log(`  ${name.padEnd(24)} ${times} ms, longest stall ${stalls} ms`);
  }
  console.log(
    `  memory after ${rounds * taken.size} reloads: ${taken.get('one host removed')!.at(-1)!.memory.toFixed(0)} MiB`,
  );
  await program.stop();
}

/** Memory with a single host. */
async function idleMemory(rig: Rig): Promise<number> {
  const { file } = await ManyHosts.create(join(rig.dir, 'one'), 1, split);
  const program = new Program(rig, file);
  const { memory } = await program.tell('start');
  await program.stop();
  return memory;
}

class Program {
  readonly #child: ChildProcess;

  constructor(rig: Rig, file: string) {
    const flags = (process.env['NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');
    const script = join(import.meta.dirname, 'reload-program.ts');
    this.#child = rig.start(1, [process.execPath, '--expose-gc', ...flags, script, file], true);
    this.#child.stdout!.pipe(process.stdout, { end: false });
  }

  async tell(order: 'start' | 'reload'): Promise<Taken> {
    this.#child.send(order);
    const [taken] = (await once(this.#child, 'message')) as [Taken | { readonly fault: string }];
    if ('fault' in taken) throw new Error(taken.fault);
    return taken;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.send('stop');
    await exited;
  }
}
