import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

interface State {
  mode: 'pass' | 'stall' | 'refuse';
  to: number;
}

/** What stands between a client and a server on 127.0.0.1 and can fail as networks do. Stopped with the test. */
export class TcpProxy {
  readonly port: number;
  readonly #pairs: Set<readonly [Socket, Socket]>;
  readonly #state: State;

  private constructor(port: number, pairs: Set<readonly [Socket, Socket]>, state: State) {
    this.port = port;
    this.#pairs = pairs;
    this.#state = state;
  }

  static async start(t: Test, to: number): Promise<TcpProxy> {
    const pairs = new Set<readonly [Socket, Socket]>();
    const state: State = { mode: 'pass', to };
    const server = createServer((near) => {
      if (state.mode === 'refuse') {
        near.resetAndDestroy();
        return;
      }
      const far = connect({ host: '127.0.0.1', port: state.to });
      const pair = [near, far] as const;
      pairs.add(pair);
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('error', () => {});
        from.on('close', () => {
          pairs.delete(pair);
          into.destroy();
        });
        from.pipe(into);
      }
      if (state.mode === 'stall') stall(pair);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(async () => {
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      server.close();
      await once(server, 'close');
    });
    return new TcpProxy((server.address() as AddressInfo).port, pairs, state);
  }

  /** Connections that are there now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** New connections lead to another port. */
  leadTo(port: number): void {
    this.#state.to = port;
  }

  /** New connections go through; those that stall stay as they are. */
  pass(): void {
    this.#state.mode = 'pass';
  }

  /** Not a byte goes through any more, on any connection, and nobody is told. */
  stall(): void {
    this.#state.mode = 'stall';
    for (const pair of this.#pairs) stall(pair);
  }

  /** What stalled goes on, with all that was held meanwhile. */
  flow(): void {
    this.pass();
    for (const [near, far] of this.#pairs) {
      near.pipe(far);
      far.pipe(near);
    }
  }

  /** Every connection is reset, and so are new ones. */
  refuse(): void {
    this.#state.mode = 'refuse';
    this.reset();
  }

  /** Every connection is reset; new ones go on as they did. */
  reset(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  /** Of the next bytes of every connection to the client only so many get through, and then it ends. */
  truncate(bytes: number): void {
    for (const [near, far] of this.#pairs) {
      far.unpipe(near);
      let left = bytes;
      far.on('data', (chunk: Buffer) => {
        near.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) near.end(() => far.destroy());
      });
    }
  }
}

function stall([near, far]: readonly [Socket, Socket]): void {
  near.unpipe(far);
  far.unpipe(near);
  near.pause();
  far.pause();
}
