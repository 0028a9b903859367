import { X509Certificate } from 'node:crypto';
import { blocksFor } from '../../config/pem.ts';
import type { Host, Stapling } from '../../snapshot/snapshot.ts';
import { readCertificateFields } from './certificate-fields.ts';
import { type Answer, judgeResponse, RefusedResponse, type Subject } from './judge.ts';
import { encodeRequest } from './request.ts';
import { NoResponse, type OcspTransport, responderOf } from './transport.ts';

/** Milliseconds that a responder has. No handshake waits for it. */
const timeoutMs = 10_000;

/** Milliseconds for which an answer without nextUpdate is stapled: newer ones are to be had always. */
const undatedFor = 600_000;

/** Milliseconds until a responder is asked again after a failure: twice as long each time. */
const backOff = { firstMs: 10_000, longestMs: 3_600_000 };

/** Milliseconds between two questions at least, however short the answers are valid. */
const minRefreshMs = 1000;

/** What is stapled until when. */
interface Held {
  readonly response: Buffer;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** What is stapled to one certificate: what its responder last said, or what a file says. Good answers only. */
export class Staple {
  readonly #stapling: Stapling;
  readonly #subject: Subject | { readonly fault: string };
  #held: Held | null = null;
  #failures = 0;
  /** Milliseconds since 1970. */
  #refreshAt = 0;

  constructor({ cert }: Host['certificate'], stapling: Stapling) {
    this.#stapling = stapling;
    this.#subject = subjectOf(cert);
  }

  /** Until when what there is holds, in milliseconds since 1970; null while there is nothing. */
  get until(): number | null {
    return this.#held?.until ?? null;
  }

  /** Clients that heed the certificate refuse it without a staple (RFC 7633). */
  get isDemanded(): boolean {
    return 'leaf' in this.#subject && this.#subject.leaf.mustStaple;
  }

  /** What to staple now. */
  response(now: number): Buffer | null {
    return this.#held !== null && now < this.#held.until ? this.#held.response : null;
  }

  /** When to look at it again, in milliseconds since 1970: to ask, or because it ends. */
  get wakeAt(): number {
    return Math.min(this.#refreshAt, this.#held?.until ?? Infinity);
  }

  /**
   * Drops what has run out, and asks for a new answer where it is time. Never rejects.
   *
   * @returns What went wrong; null where all is well.
   */
  async renew(transport: Pick<OcspTransport, 'ask'>, clock: () => number): Promise<string | null> {
    if (this.#held !== null && clock() >= this.#held.until) this.#held = null;
    if (clock() < this.#refreshAt) return this.#held === null ? 'what was stapled has run out' : null;
    if ('fault' in this.#subject) return this.#never(this.#subject.fault);
    try {
      const response = await this.#fetch(transport, this.#subject);
      const now = clock();
      const answer = judgeResponse(response, this.#subject, null, now);
      if (answer.status !== 'good') {
        this.#held = null;
        throw new RefusedResponse(`it says that the certificate is ${answer.status}`);
      }
      this.#keep(response, answer, now);
      return null;
    } catch (error) {
      const known = error instanceof NoResponse || error instanceof RefusedResponse;
      const detail = known ? error.message : String(error);
      // A file says the same until it is replaced.
      if (this.#stapling.kind === 'file') return this.#never(`${this.#stapling.file}: ${detail}`);
      const pause = Math.min(backOff.firstMs * 2 ** this.#failures, backOff.longestMs);
      this.#failures++;
      this.#refreshAt = clock() + pause;
      return `the responder's answer cannot be stapled: ${detail}`;
    }
  }

  #keep(response: Buffer, { thisUpdate, nextUpdate }: Answer, now: number): void {
    const until = nextUpdate ?? thisUpdate + undatedFor;
    this.#held = { response, until };
    this.#failures = 0;
    const half = Math.max((until - now) / 2, minRefreshMs);
    this.#refreshAt = this.#stapling.kind === 'file' ? Infinity : now + half;
  }

  #never(detail: string): string {
    this.#refreshAt = Infinity;
    return detail;
  }

  async #fetch(transport: Pick<OcspTransport, 'ask'>, { leaf, issuerFields }: Subject): Promise<Buffer> {
    if (this.#stapling.kind === 'file') return Buffer.from(this.#stapling.response, 'base64');
    const responder = leaf.responder === null ? null : responderOf(leaf.responder);
    if (responder === null) throw new NoResponse('the certificate names no responder with an http URL');
    // Without a nonce, which nobody the answer is shown to has sent.
    const request = encodeRequest(leaf, issuerFields.keyBits, null);
    return Buffer.from(await transport.ask(responder, request, timeoutMs));
  }
}

/** The certificate and its issuer, out of a host's file. */
function subjectOf(pem: string): Subject | { readonly fault: string } {
  try {
    const [own, ...others] = blocksFor('certificate', pem).map((block) => new X509Certificate(block));
    if (own === undefined) return { fault: 'there is no certificate' };
    const issuer = others.find((other) => own.checkIssued(other) && own.verify(other.publicKey));
    if (issuer === undefined) return { fault: 'the certificate file lacks the certificate of its issuer' };
    const leaf = readCertificateFields(own.raw);
    return { leaf, issuer, issuerFields: readCertificateFields(issuer.raw) };
  } catch (error) {
    return { fault: `the certificate cannot be read: ${String(error)}` };
  }
}

/** Whether a certificate asks for a staple; one that cannot be read asks for nothing. */
export function demandsStaple(pem: string): boolean {
  try {
    const [own] = blocksFor('certificate', pem);
    if (own === undefined) return false;
    // Asked of every host at the start: OpenSSL's reading would cost five times as much.
    return readCertificateFields(Buffer.from(own.replaceAll(/-----.+-----/g, ''), 'base64')).mustStaple;
  } catch {
    return false;
  }
}
