import { readBounded } from '../../config/read-file.ts';
import { quote } from '../../config/text.ts';

/** There is no answer; the message says why, on one line. */
export class AskFailed extends Error {}

const timeoutMs = 10_000;
const maxBytes = 256 * 1024 ** 2;

/**
 * What a running program answers at its admin listener.
 * @throws AskFailed
 */
export async function askAdmin(base: string, path: string, tokenFile: string | undefined): Promise<string> {
  const url = URL.parse(path, base);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new AskFailed(`${quote(base)} is no http(s) URL`);
  const headers: Record<string, string> = {};
  if (tokenFile !== undefined) {
    const read = await readBounded(tokenFile, 4096);
    if ('fault' in read) throw new AskFailed(`${quote(tokenFile)} ${read.fault}`);
    headers['authorization'] = `Bearer ${read.bytes.toString('latin1').trim()}`;
  }
  try {
    const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > maxBytes) throw new AskFailed('the answer is too long');
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks).toString('utf8');
    if (!response.ok) throw new AskFailed(`${url.origin} answers ${response.status}: ${quote(body.trim())}`);
    return body;
  } catch (error) {
    if (error instanceof AskFailed) throw error;
    const cause = (error as Error).cause ?? error;
    throw new AskFailed(`${url.origin} does not answer: ${(cause as Error).message}`);
  }
}
