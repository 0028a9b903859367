import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority, type TestAuthority } from '../test/support/pki.ts';

/** One CA for so many hosts. */
const hostsPerCa = 50;

/** A configuration of many hosts in a folder: each with a certificate and an upstream of its own, every other with a CA. */
export class ManyHosts {
  /** The configuration file. */
  readonly file: string;
  readonly #dir: string;
  readonly #issuer: TestAuthority;
  readonly #split: boolean;
  #count = 0;

  private constructor(dir: string, issuer: TestAuthority, split: boolean) {
    this.file = join(dir, 'config.yaml');
    this.#dir = dir;
    this.#issuer = issuer;
    this.#split = split;
  }

  /** @param split A file for each host, which the configuration includes; else all hosts are in the configuration. */
  static async create(dir: string, count: number, split: boolean): Promise<ManyHosts> {
    for (const folder of ['hosts.d', 'certs', 'cas']) mkdirSync(join(dir, folder), { recursive: true });
    const many = new ManyHosts(dir, await createAuthority({ cn: 'Bench root' }), split);
    many.#count = count;
    for (let ca = 0; ca * hostsPerCa <= count; ca++) {
      many.#put(`cas/${ca}.pem`, (await createAuthority({ cn: `Clients ${ca}` })).cert);
    }
    for (let index = 0; index < count; index++) await many.renew(index);
    if (split) for (let index = 0; index < count; index++) many.edit(index, 1);
    many.#putMain('');
    return many;
  }

  /** A new certificate and key for a host. */
  async renew(index: number): Promise<void> {
    const name = `h${index}.bench.test`;
    const { cert, key } = await this.#issuer.issue({ cn: name, hosts: [name], usage: 'server' });
    this.#put(`certs/${index}.pem`, cert);
    this.#put(`certs/${index}.key`, key);
  }

  /** Another body limit for a host, in megabytes; a host past the last is added. */
  edit(index: number, limit: number): void {
    if (this.#split)
      this.#put(`hosts.d/${index}.yaml`, fragment([hostYaml(index, limit)], [upstreamYaml(index)]));
    else this.#putMain(hostYaml(index, limit), index);
  }

  remove(index: number): void {
    if (this.#split) rmSync(join(this.#dir, `hosts.d/${index}.yaml`));
    else this.#putMain('', index);
  }

  #putMain(instead: string, at = -1): void {
    const hosts: string[] = [];
    const upstreams: string[] = [];
    for (let index = 0; index < Math.max(this.#count, at + 1) && !this.#split; index++) {
      if (index === at && instead === '') continue;
      hosts.push(index === at ? instead : hostYaml(index, 1));
      upstreams.push(upstreamYaml(index));
    }
    this.#put(
      'config.yaml',
      `listeners: { https: { address: 127.0.0.1, port: 0 }, admin: { address: 127.0.0.1, port: 0 } }
${this.#split ? 'include: ["hosts.d/*.yaml"]\n' : fragment(hosts, upstreams)}`,
    );
  }

  /** By a rename: nobody reads half a file. */
  #put(name: string, text: string): void {
    const file = join(this.#dir, name);
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
}

function fragment(hosts: readonly string[], upstreams: readonly string[]): string {
  return `hosts:\n${hosts.join('')}upstreams:\n${upstreams.join('')}`;
}

function hostYaml(index: number, limit: number): string {
  const ca = Math.floor(index / hostsPerCa);
  return `  - names: [h${index}.bench.test]
    certificate: { cert: certs/${index}.pem, key: certs/${index}.key }
${index % 2 === 0 ? `    clientAuth: { mode: require, ca: cas/${ca}.pem }\n` : ''}    routes:
      - { path: /, upstream: u${index}, bodyLimit: ${limit}m }
      - { path: /api, upstream: u${index}, bodyLimit: ${limit}m }
`;
}

function upstreamYaml(index: number): string {
  return `  u${index}: { endpoints: ['127.0.0.1:${1024 + (index % 60_000)}'] }\n`;
}
