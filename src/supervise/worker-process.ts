import { App, ConfigurationError, ListenError } from '../app.ts';
import type { Loaded, Source } from '../config/source.ts';
import { sharedPipeWrite } from '../observe/log-sink.ts';
import { createObservability, type Observability } from '../observe/observe.ts';
import { TicketKeys } from '../tls/ticket-keys.ts';
import { AskedProofs } from './asked-proofs.ts';
import { DenialBatch } from './denial-batch.ts';
import type { FromWorker, Handed, ToWorker } from './messages.ts';
import { shareOf } from './share.ts';

/**
 * A worker process: one App on sockets that its supervisor has bound, told what to serve. It ends when it has
 * drained: because it is told to, because it gets a SIGTERM of its own, or because its supervisor is gone.
 */
class WorkerProcess {
  #app: App | null = null;
  #starting: Promise<void> = Promise.resolve();
  #handed: Handed | null = null;
  #ending = false;
  readonly #tickets = new TicketKeys((name, renewals) => send({ type: 'renew', name, renewals }));
  readonly #proofs = new AskedProofs(send);
  #observability: Observability | null = null;

  take(message: ToWorker): void {
    switch (message.type) {
      case 'start':
        this.#starting = this.#start(message);
        return;
      case 'configure':
        void this.#configure(message.id, message.handed);
        return;
      case 'tickets':
        this.#tickets.install(message.tickets);
        return;
      case 'report':
        void this.#report(message.id);
        return;
      case 'proof':
        this.#proofs.answer(message.id, message.proof);
        return;
      case 'drain':
        void this.end();
    }
  }

  async #start(message: Extract<ToWorker, { type: 'start' }>): Promise<void> {
    const { worker, of, handed, tickets, sockets } = message;
    this.#tickets.install(tickets);
    this.#handed = handed;
    const denials = new DenialBatch((batch) => send({ type: 'denials', denials: batch }));
    const observability = createObservability({
      worker,
      sink: { maxWrite: sharedPipeWrite },
      keepDenial: (denial) => denials.add(denial),
      tellIdentities: (identities) => send({ type: 'identities', identities }),
    });
    this.#observability = observability;
    const source: Source = {
      load: () => Promise.resolve(loadedOf(this.#handed!)),
      watch: () => ({ close() {} }),
    };
    const app = new App(source, observability, {
      sockets,
      tickets: this.#tickets,
      proofs: this.#proofs,
      share: (snapshot) => shareOf(snapshot, of),
    });
    try {
      await app.start();
      this.#app = app;
      send({ type: 'started', version: app.snapshot.version });
    } catch (error) {
      if (!(error instanceof ConfigurationError || error instanceof ListenError)) throw error;
      const problems = error instanceof ConfigurationError ? error.problems : [error.message];
      process.send?.({ type: 'refused', problems } satisfies FromWorker, () => process.exit(1));
    }
  }

  async #configure(id: number, handed: Handed): Promise<void> {
    // A reload may come while it starts, with what was in force before.
    await this.#starting;
    const app = this.#app;
    if (app === null) return;
    const before = this.#handed;
    this.#handed = handed;
    const problems = await app.configure();
    if (problems.length > 0) this.#handed = before;
    send({ type: 'configured', id, version: app.snapshot.version, problems });
  }

  async #report(id: number): Promise<void> {
    if (this.#app === null || this.#observability === null) return;
    const { metrics, activity } = this.#observability;
    this.#observability.flushIdentities();
    send({
      type: 'report',
      id,
      metrics: await metrics.state(),
      activity: activity.state(),
      status: this.#app.status(),
    });
  }

  async end(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#app?.drain();
    const observability = this.#observability;
    if (observability === null || process.send === undefined || !process.connected) process.exit(0);
    const [metrics, activity] = [await observability.metrics.state(), observability.activity.state()];
    // The last numbers, so that nothing that was counted is lost.
    process.send({ type: 'report', id: 0, metrics, activity, status: {} } satisfies FromWorker, () =>
      process.exit(0),
    );
  }
}

function loadedOf({ config, material }: Handed): Loaded {
  return { ok: true, config, material, warnings: [], place: ({ path, message }) => `${path} ${message}` };
}

/** Whether it was taken; a supervisor that does not read keeps no more than this many waiting. */
const maxUnsent = 4096;
let unsent = 0;

function send(message: FromWorker): boolean {
  if (!process.connected || unsent >= maxUnsent) return false;
  unsent++;
  process.send?.(message, () => unsent--);
  return true;
}

const worker = new WorkerProcess();
process.on('message', (message) => worker.take(message as ToWorker));
process.on('disconnect', () => void worker.end());
process.on('SIGTERM', () => void worker.end());
// A terminal sends these to all processes at once; the supervisor is who acts on them.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
