import { setTimeout as wait } from 'node:timers/promises';
import { BackOff } from '../../../back-off.ts';
import { messageOf } from '../../../pki/error.ts';
import { ApiError } from '../api-error.ts';
import type { Api } from '../dry-api.ts';
import type { Log } from '../health.ts';
import { pathOf, resources } from '../resource.ts';
import {
  type Authority,
  authorityOf,
  dataOf,
  isDue,
  isLast,
  issueServing,
  type Lifetimes,
  makeAuthority,
  type ServingCertificate,
  standardLifetimes,
} from './authority.ts';
import { getOrNull, isRegistered, readRegistration, register } from './registration.ts';

/** How long things may take, in milliseconds. */
export interface KeeperTimes {
  /** The Secret and the registration are looked at so often. */
  readonly everyMs: number;
  /** So long after the API server was told of a new CA every one of its replicas knows. */
  readonly settleMs: number;
}

export interface KeeperOptions {
  readonly client: Pick<Api, 'get' | 'create' | 'replace' | 'patch'>;
  /** The Secret that all replicas share. */
  readonly secret: { readonly namespace: string; readonly name: string };
  /** Name of the ValidatingWebhookConfiguration. */
  readonly registration: string;
  /** Names and addresses that the certificate is for. */
  readonly names: readonly string[];
  /** Nothing is written. Without a Secret, the CA is of this process alone, and shown to nobody. */
  readonly isDryRun: boolean;
  readonly log: Log;
  /** A certificate is to be served with from now on, and reviews come to this path. */
  readonly onCertificate: (certificate: ServingCertificate, path: string) => void;
  /** Everything could be done; or not. */
  readonly onKept?: (isKept: boolean) => void;
  readonly lifetimes?: Lifetimes;
  readonly times?: Partial<KeeperTimes>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Where reviews come to; ingress-nginx has them here too. */
export const reviewPath = '/networking/v1/ingresses';

const standardTimes: KeeperTimes = { everyMs: 60_000, settleMs: 10_000 };

/** Others may write first so often in a row. */
const maxAttempts = 5;

/**
 * Keeps the webhook's certificate: a CA in a Secret, made by whichever replica comes first and made anew well before its end, a
 * certificate of it in this process, and the API server told of both the old CA and the new before anything of the new is shown.
 */
export class CertificateKeeper {
  readonly #options: KeeperOptions;
  readonly #times: KeeperTimes;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #authority: Authority | null = null;
  /** Served with now, and the CA that it is of. */
  #serving: { readonly certificate: ServingCertificate; readonly ca: string } | null = null;
  /** The newest CA, and since when the API server is known to know it. */
  #known: { readonly ca: string; readonly at: number } | null = null;
  #toldFault = '';
  #hasToldDry = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#times = { ...standardTimes, ...options.times };
    this.#ended = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { everyMs, settleMs } = this.#times;
    const { signal } = this.#stop;
    const backOff = new BackOff(everyMs);
    for (let next = 0; ;) {
      const faults = await this.#look().catch((error: unknown) => [messageOf(error)]);
      if (signal.aborted) return;
      this.#tell(faults);
      if (faults.length > 0) next = backOff.next(0);
      else next = this.#isAwaited ? settleMs : everyMs * (0.75 + Math.random() / 2);
      if (!(await wait(next, true, { signal }).catch(() => false))) return;
    }
  }

  /** A newer CA than the one in use is there. */
  get #isAwaited(): boolean {
    return this.#serving?.ca !== this.#authority?.bundle[0];
  }

  /** Looks once at everything, and does what has to be done. Gives what could not be done. */
  async #look(): Promise<readonly string[]> {
    const { client, registration: name, isDryRun } = this.#options;
    const faults: string[] = [];
    const failed = (what: string) => (error: unknown) => {
      faults.push(`${what}: ${messageOf(error)}`);
      return null;
    };
    const where = `ValidatingWebhookConfiguration ${name}`;
    // Before the Secret: who reads it first and writes what an older Secret said finds the version gone on.
    const registration = await readRegistration(client, name).catch(failed(where));
    const authority = await this.#authorityNow(failed('the Secret'));
    this.#authority = authority;
    const address = { bundle: authority.bundle, path: `${reviewPath}/${authority.token}` };
    const ca = authority.bundle[0]!;
    let isKnown = registration === null;
    if (registration !== null) {
      isKnown = isRegistered(registration, address);
      if (!isKnown && isDryRun) this.#tellDry(where);
      else if (!isKnown) {
        const done = register(client, name, registration, address).then(() => true);
        isKnown = (await done.catch(failed(where))) === true;
        if (isKnown) this.#options.log('info', 'the webhook is registered', { registration: name });
      }
    } else if (faults.length === 0) faults.push(`there is no ${where}: nobody asks the webhook`);
    const now = this.#now;
    if (!isKnown) this.#known = null;
    else if (this.#known?.ca !== ca) this.#known = { ca, at: now };
    if (this.#isTime(authority, registration !== null)) {
      const { names, lifetimes = standardLifetimes, onCertificate } = this.#options;
      const certificate = await issueServing(authority, names, lifetimes, now);
      this.#serving = { certificate, ca };
      onCertificate(certificate, address.path);
    }
    return faults;
  }

  /** Is it time for a new certificate? */
  #isTime({ bundle }: Authority, isAsked: boolean): boolean {
    if (this.#serving === null) return true;
    const { ca, certificate } = this.#serving;
    if (ca === bundle[0]) return isDue(certificate, this.#now);
    const isTrusted = bundle.includes(ca) && !isLast(certificate, this.#now);
    if (!isTrusted || !isAsked) return true;
    return this.#known !== null && this.#now - this.#known.at >= this.#times.settleMs;
  }

  /** The CA of the Secret, made where there is none, or none for long. Rejects where it can be neither read nor made. */
  async #authorityNow(failed: (error: unknown) => null): Promise<Authority> {
    const { client, secret, lifetimes = standardLifetimes, isDryRun } = this.#options;
    const { namespace, name } = secret;
    const path = pathOf(resources.secrets[0], namespace, name);
    for (let attempt = 1; ; attempt++) {
      const object = (await getOrNull(client, path)) as Readonly<Record<string, unknown>> | null;
      const there = authorityOf(object?.['data']);
      if (there !== null && !isDue(there.issuer, this.#now)) return there;
      if (isDryRun) return there ?? this.#authority ?? (await makeAuthority(null, lifetimes, this.#now));
      const made = await makeAuthority(there ?? this.#authority, lifetimes, this.#now);
      try {
        if (object === null) {
          await client.create(pathOf(resources.secrets[0], namespace), {
            apiVersion: 'v1',
            kind: 'Secret',
            type: 'Opaque',
            metadata: { namespace, name },
            data: dataOf(made),
          });
        } else await client.replace(path, { ...object, data: dataOf(made) });
        this.#options.log('info', 'the webhook has a new CA', { secret: `${namespace}/${name}` });
        return made;
      } catch (error) {
        const isLate = error instanceof ApiError && error.status === 409;
        if (isLate && attempt < maxAttempts) continue;
        // One that is due is good for months still.
        if (there === null || there.issuer.notAfter <= this.#now) throw error;
        failed(error);
        return there;
      }
    }
  }

  /** Without the path: its token is for nobody who reads logs. */
  #tellDry(where: string): void {
    if (this.#hasToldDry) return;
    this.#hasToldDry = true;
    this.#options.log('info', 'dry run: not written', { verb: 'patch', object: where });
  }

  get #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #tell(faults: readonly string[]): void {
    const fault = faults.join('; ');
    this.#options.onKept?.(fault === '');
    if (fault === this.#toldFault) return;
    this.#toldFault = fault;
    const { log } = this.#options;
    if (fault === '') log('info', 'the certificate of the webhook is kept again', {});
    else log('warn', 'the certificate of the webhook cannot be kept', { fault });
  }
}
