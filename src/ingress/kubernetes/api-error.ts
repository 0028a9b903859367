import { printable } from '../../config/text.ts';

const maxMessage = 300;

/** A call to the API server that did not bring what was asked for. Its message is one printable line, without credentials. */
export class ApiError extends Error {
  /** The HTTP status; 0 where no answer came, or none that can be read. */
  readonly status: number;
  /** The server's word for it: `NotFound`, `Conflict`, `Expired` …; `Unreachable` or `Unreadable` where the status is 0. */
  readonly reason: string;
  /** Milliseconds that the server asks to be left alone; null where it does not say. At most a minute. */
  readonly retryAfterMs: number | null;

  constructor(
    status: number,
    reason: string,
    message: string,
    options: { readonly retryAfterMs?: number | null; readonly cause?: unknown } = {},
  ) {
    super(
      printable(message.length > maxMessage ? `${message.slice(0, maxMessage)}…` : message),
      'cause' in options ? { cause: options.cause } : undefined,
    );
    this.name = 'ApiError';
    this.status = status;
    this.reason = printable(reason.slice(0, maxMessage));
    this.retryAfterMs = options.retryAfterMs ?? null;
  }

  /** Trying again may bring it, with nothing changed on our side. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** The version that was asked for is no longer kept: everything has to be listed anew. */
  get isGone(): boolean {
    return this.status === 410;
  }
}

const longestRetryAfter = 60_000;

/** What an answer that is no success says: a `Status` object of Kubernetes, or whatever else stands there. */
export function errorOfAnswer(status: number, retryAfter: string | null, body: string): ApiError {
  const said = statusObject(body);
  const seconds = /^\d{1,5}$/.test(retryAfter ?? '') ? Number(retryAfter) : null;
  return new ApiError(
    said?.code ?? status,
    said?.reason ?? `HTTP ${status}`,
    said?.message ?? `answered ${status}`,
    { retryAfterMs: seconds === null ? null : Math.min(seconds * 1000, longestRetryAfter) },
  );
}

/** What an ERROR event of a watch holds. */
export function errorOfEvent(object: unknown): ApiError {
  const said = statusOf(object);
  return new ApiError(said?.code ?? 500, said?.reason ?? 'Unknown', said?.message ?? 'the watch failed');
}

interface Said {
  readonly code: number | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
}

function statusObject(body: string): Said | null {
  try {
    return statusOf(JSON.parse(body));
  } catch {
    return null;
  }
}

function statusOf(object: unknown): Said | null {
  if (typeof object !== 'object' || object === null) return null;
  const { kind, code, reason, message } = object as Record<string, unknown>;
  if (kind !== 'Status') return null;
  return {
    code: typeof code === 'number' && Number.isInteger(code) && code >= 400 && code < 600 ? code : undefined,
    reason: typeof reason === 'string' && reason !== '' ? reason : undefined,
    message: typeof message === 'string' && message !== '' ? message : undefined,
  };
}
