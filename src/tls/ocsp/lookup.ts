import { createHash, randomBytes, type X509Certificate } from 'node:crypto';
import { MalformedCertificate } from '../der.ts';
import { readCertificateFields } from './certificate-fields.ts';
import { judgeResponse, RefusedResponse, type Subject } from './judge.ts';
import { encodeRequest, nonceLength } from './request.ts';
import type { CertificateStatus } from './response.ts';
import { ResponderHealth } from './responder-health.ts';
import { NoResponse, type OcspTransport, responderOf } from './transport.ts';

/** How to ask. */
export interface LookupOptions {
  /** In place of the one that the certificate names. */
  readonly responder: URL | null;
  readonly timeoutMs: number;
  /** Milliseconds for which an answer counts at most, whatever its nextUpdate. */
  readonly maxAgeMs: number;
}

/** What is known of a certificate. */
export interface Status {
  /** `unavailable`: there is no answer that counts. */
  readonly status: CertificateStatus | 'unavailable';
  /** Why there is none, for the log; null where there is one. */
  readonly detail: string | null;
  /** Until when it counts, in milliseconds since 1970. */
  readonly validUntil: number;
}

/** Milliseconds for which an answer counts that sets no time: newer ones are to be had always (RFC 6960 §4.2.2.1). */
const undatedFor = 300_000;

/** Milliseconds after which a certificate that the responder did not know is asked for again: it may be new. */
const unknownFor = 300_000;

/** Milliseconds until a responder that gave no answer is asked again about the same certificate, or a dead one at all. */
const unavailableFor = 10_000;

/**
 * Milliseconds before its end, at most, from which an answer is asked for anew; else a tenth of its time. A connection
 * ends with its answer, and one that had a moment left would be refused at its first request.
 */
const maxLeadMs = 5000;

/** Certificates remembered; an entry takes some 300 bytes. */
const defaultLimit = 16_384;

interface Entry extends Pick<Status, 'status' | 'detail'> {
  /** When it came, and when by itself it ends. */
  readonly at: number;
  readonly ends: number;
}

/**
 * Asks responders about certificates, and remembers what they say. Give it only certificates whose chain has been
 * proven: the address that is asked stands in them.
 */
export class OcspLookup {
  readonly #transport: Pick<OcspTransport, 'ask'>;
  readonly #now: () => number;
  readonly #limit: number;
  readonly #entries = new Map<string, Entry>();
  readonly #health = new ResponderHealth(unavailableFor);
  readonly #asking = new Map<string, Promise<Entry>>();

  /** @param now Milliseconds since 1970. */
  constructor(
    transport: Pick<OcspTransport, 'ask'>,
    now: () => number = Date.now,
    limit: number = defaultLimit,
  ) {
    this.#transport = transport;
    this.#now = now;
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The status of a certificate: remembered, or asked for; never rejects. Those who ask for the same while a request
   * is under way share it.
   *
   * @param leaf DER.
   * @param issuer The certificate that issued it, by its signature.
   */
  async find(leaf: Uint8Array, issuer: X509Certificate, options: LookupOptions): Promise<Status> {
    let subject: Subject;
    try {
      const issuerFields = readCertificateFields(issuer.raw);
      subject = { leaf: readCertificateFields(leaf), issuer, issuerFields };
    } catch (error) {
      if (!(error instanceof MalformedCertificate)) throw error;
      const validUntil = this.#now() + unavailableFor;
      return { status: 'unavailable', detail: `a certificate is malformed: ${error.message}`, validUntil };
    }
    const key = keyOf(subject, options.responder);
    return this.#recall(key, options.maxAgeMs) ?? statusOf(await this.#share(key, subject, options), options);
  }

  #recall(key: string, maxAgeMs: number): Status | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    this.#entries.delete(key);
    // A host that lets answers count for longer may have asked.
    const status = statusOf(entry, { maxAgeMs });
    if (this.#now() >= status.validUntil - Math.min(maxLeadMs, (status.validUntil - entry.at) / 10))
      return null;
    this.#entries.set(key, entry);
    return status;
  }

  #share(key: string, subject: Subject, options: LookupOptions): Promise<Entry> {
    // Nobody waits for as long as another may.
    const shared = `${options.timeoutMs} ${key}`;
    const asking = this.#asking.get(shared);
    if (asking !== undefined) return asking;
    const started = this.#ask(subject, options)
      .then((entry) => {
        this.#remember(key, entry);
        return entry;
      })
      .finally(() => this.#asking.delete(shared));
    this.#asking.set(shared, started);
    return started;
  }

  async #ask(subject: Subject, { responder, timeoutMs }: LookupOptions): Promise<Entry> {
    const named = subject.leaf.responder;
    const url = responder ?? (named === null ? null : responderOf(named));
    if (url === null) {
      return this.#none(
        named === null ? 'the certificate names no responder' : 'its responder is no http URL',
      );
    }
    const pausedUntil = this.#health.pausedUntil(url.href, timeoutMs, this.#now());
    if (pausedUntil !== null) return this.#none(`${url.host} gave no answer lately`, pausedUntil);
    try {
      const nonce = randomBytes(nonceLength);
      const request = encodeRequest(subject.leaf, subject.issuerFields.keyBits, nonce);
      const response = await this.#transport.ask(url, request, timeoutMs);
      this.#health.answered(url.href);
      const now = this.#now();
      const { status, nextUpdate } = judgeResponse(response, subject, nonce, now);
      const ends = nextUpdate ?? now + undatedFor;
      // Good for the moment within the clock's skew, and asked for anew soon.
      const counts = Math.max(ends, now + 1000);
      return {
        status,
        detail: null,
        at: now,
        ends: status === 'unknown' ? Math.min(counts, now + unknownFor) : counts,
      };
    } catch (error) {
      if (error instanceof NoResponse) {
        if (error.unreachable) this.#health.failed(url.href, this.#now());
        return this.#none(`no response of ${url.host}: ${error.message}`);
      }
      if (error instanceof RefusedResponse) {
        return this.#none(`the response of ${url.host} is refused: ${error.message}`);
      }
      // A fault of ours is no answer either (rule 1).
      return this.#none(`failed: ${String(error)}`);
    }
  }

  #none(detail: string, ends: number = this.#now() + unavailableFor): Entry {
    return { status: 'unavailable', detail, at: this.#now(), ends };
  }

  #remember(key: string, entry: Entry): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#limit) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, entry);
  }
}

function statusOf(
  { status, detail, at, ends }: Entry,
  { maxAgeMs }: Pick<LookupOptions, 'maxAgeMs'>,
): Status {
  return { status, detail, validUntil: Math.min(ends, at + maxAgeMs) };
}

/** The issuer by key and name, the serial number, and whom to ask: another may say something else. */
function keyOf({ leaf, issuerFields }: Subject, responder: URL | null): string {
  const hash = createHash('sha256');
  const parts: readonly Uint8Array[] = [
    issuerFields.keyBits,
    leaf.issuer,
    leaf.serial,
    Buffer.from(responder?.href ?? leaf.responder ?? ''),
  ];
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('base64');
}
