import { Agent } from 'undici';
import { maxResponseBytes } from './response.ts';

/** No answer came from a responder. The message says why, in words for the log. */
export class NoResponse extends Error {
  /** It could not be reached, or was too slow: the next question would fare no better. */
  readonly unreachable: boolean;

  constructor(message: string, unreachable = false) {
    super(message);
    this.unreachable = unreachable;
  }
}

/** Responders spoken to, and connections to each, at once. */
const maxOrigins = 64;
const connectionsPerOrigin = 8;

/** Requests waiting or under way, in all. */
const maxRequests = 1024;

/** Speaks OCSP over HTTP (RFC 6960 appendix A): POST, one request on each connection, no redirect followed. */
export class OcspTransport {
  readonly #agent = new Agent({
    connections: connectionsPerOrigin,
    maxOrigins,
    // A kept connection that the responder just closed would cost an answer; these requests are few.
    pipelining: 0,
    maxResponseSize: maxResponseBytes,
    maxHeaderSize: 8192,
  });
  #requests = 0;

  /**
   * @param timeoutMs For all of it, the name's resolution and waiting for a free connection included.
   * @throws NoResponse
   */
  async ask(responder: URL, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    if (this.#requests >= maxRequests) throw new NoResponse('too many requests are under way');
    this.#requests++;
    try {
      const { statusCode, body } = await this.#agent.request({
        origin: responder.origin,
        path: responder.pathname + responder.search,
        method: 'POST',
        headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
        body: request,
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (statusCode !== 200) {
        body.on('error', () => {}).destroy();
        throw new NoResponse(`it answered ${statusCode}`);
      }
      return await body.bytes();
    } catch (error) {
      if (error instanceof NoResponse) throw error;
      const { name, code, message } = error as NodeJS.ErrnoException;
      if (name === 'TimeoutError') throw new NoResponse(`nothing whole came within ${timeoutMs} ms`, true);
      throw new NoResponse(code ?? message, true);
    } finally {
      this.#requests--;
    }
  }

  /** Breaks off what is under way. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

/**
 * A responder's address out of a certificate: http alone (RFC 5280 §4.2.2.1 has no need of TLS, the answer is signed),
 * without a user's name. Null where it is none.
 */
export function responderOf(address: string): URL | null {
  const url = URL.parse(address);
  if (url === null || url.protocol !== 'http:' || url.username !== '' || url.password !== '') return null;
  return url;
}
