/** What an endpoint answers: at once, or over a longer time. */
export type Answer = WholeAnswer | StreamedAnswer;

export interface WholeAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Close the connection behind it. */
  readonly close?: true;
}

/** 200, and as much as there comes to be; ended by the endpoint, by the reader, or after an hour. */
export interface StreamedAnswer {
  readonly type: string;
  /** Written whenever nothing was for five seconds, so that a reader who is gone is noticed. */
  readonly heartbeat: string;
  /** Called once. Whoever keeps the stream lets go of it when `stream.ended` is aborted. */
  readonly start: (stream: AnswerStream) => void;
}

export interface AnswerStream {
  /**
   * Not taken once the stream has ended. False: the reader is 128 KiB behind, and is best told and let go of; at 256 KiB
   * it is cut off.
   */
  write(text: string): boolean;
  end(): void;
  readonly ended: AbortSignal;
}

/** One line of text. */
export function text(status: number, line: string): WholeAnswer {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` };
}

export function json(status: number, value: unknown): WholeAnswer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` };
}

/** A stream for EventSource; its events are made by `eventOf`. */
export function events(start: StreamedAnswer['start']): StreamedAnswer {
  return { type: 'text/event-stream; charset=utf-8', heartbeat: ':\n\n', start };
}

/** A server-sent event with a value as JSON, which has no line breaks. */
export function eventOf(name: string, value: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
}
