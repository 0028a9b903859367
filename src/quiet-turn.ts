/** Milliseconds that a turn of the event loop takes in which nothing happened, and hardly more. */
const idleTurn = 0.05;

/**
 * Resolves behind a turn of the event loop in which nothing happened, so that no connection can have been waiting
 * a moment ago: those that wait when a listening socket is closed are reset. Gives up waiting after `withinMs`.
 */
export async function quietTurn(withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  for (let last = performance.now(), now = Infinity; now - last > idleTurn && last < end;) {
    last = performance.now();
    await new Promise(setImmediate);
    now = performance.now();
  }
}
