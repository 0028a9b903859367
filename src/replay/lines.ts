/** Bytes of a line that is looked at; the log's own are under 32 KiB. */
const maxLine = 256 * 1024;

/** The lines of a stream, one at a time. What is longer than a log's line can be is passed over as an empty one. */
export async function* linesOf(
  stream: AsyncIterable<Buffer | string>,
): AsyncGenerator<string, void, undefined> {
  let pieces: Buffer[] = [];
  let length = 0;
  const whole = (): string => {
    const line = length > maxLine ? '' : Buffer.concat(pieces).toString('utf8');
    pieces = [];
    length = 0;
    return line;
  };
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let from = 0;
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, from)) {
      add(bytes.subarray(from, end));
      yield whole();
      from = end + 1;
    }
    add(bytes.subarray(from));
  }
  if (length > 0) yield whole();

  function add(piece: Buffer): void {
    length += piece.length;
    // Of one that is too long nothing is kept.
    if (length > maxLine) pieces = [];
    else if (piece.length > 0) pieces.push(piece);
  }
}
