import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { freePort } from './free-port.ts';

/** One series of an answer, as it stands now. */
export interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A real Prometheus (Debian's), scraping every half second. Ended with the test. */
export class Prometheus {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  /** @param targets `address:port` of what it scrapes. @param rules Paths of files with rules. */
  static async start(
    t: Test,
    targets: readonly string[],
    rules: readonly string[] = [],
  ): Promise<Prometheus> {
    // A test has but one testdir, and the program may have it.
    const dir = mkdtempSync(join(tmpdir(), 'mtls-ingress-prometheus-'));
    const file = join(dir, 'prometheus.yml');
    writeFileSync(
      file,
      JSON.stringify({
        global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' },
        rule_files: rules,
        scrape_configs: [{ job_name: 'mtls-ingress', static_configs: [{ targets }] }],
      }),
    );
    const port = await freePort();
    const child = spawn(
      'prometheus',
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const exited = once(child, 'exit');
    t.teardown(async () => {
      child.kill('SIGKILL');
      await exited;
      rmSync(dir, { recursive: true, force: true });
    });
    let said = '';
    for await (const line of createInterface({ input: child.stderr })) {
      said += `${line}\n`;
      if (line.includes('Server is ready to receive web requests')) break;
    }
    if (child.exitCode !== null) throw new Error(`prometheus did not start: ${said}`);
    child.stderr.resume();
    return new Prometheus(`http://127.0.0.1:${port}/api/v1`);
  }

  /** The answer to a query, series whose value is no number left out. */
  async query(expression: string): Promise<readonly Result[]> {
    const answer = (await this.#get(`query?query=${encodeURIComponent(expression)}`)) as {
      readonly result: readonly {
        readonly metric: Result['metric'];
        readonly value: readonly [number, string];
      }[];
    };
    return answer.result
      .map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
      .filter(({ value }) => !Number.isNaN(value));
  }

  /** Every rule, by its name, with how evaluating it went: `ok`, `err` or, not yet, `unknown`. */
  async rules(): Promise<ReadonlyMap<string, string>> {
    const { groups } = (await this.#get('rules')) as {
      readonly groups: readonly {
        readonly rules: readonly { readonly name: string; readonly health: string }[];
      }[];
    };
    return new Map(groups.flatMap(({ rules }) => rules.map(({ name, health }) => [name, health] as const)));
  }

  async #get(path: string): Promise<unknown> {
    const answer = await fetch(`${this.#url}/${path}`);
    const { status, data, error } = (await answer.json()) as {
      status: string;
      data: unknown;
      error?: string;
    };
    if (status !== 'success') throw new Error(`${path}: ${error}`);
    return data;
  }
}
