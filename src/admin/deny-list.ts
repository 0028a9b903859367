import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { printable } from '../config/text.ts';
import { maxFileSize } from '../config/material.ts';
import { shorten } from '../observe/shorten.ts';
import { compileDenyList } from '../policy/deny-list.ts';
import { json, type WholeAnswer } from './answer.ts';
import { BadCall, type Call, type Endpoint, jsonOf } from './endpoint.ts';

/** Why an entry could not be added, though there is nothing wrong with it; told to the caller. */
class CannotAdd extends Error {}

export interface DenyListParts {
  /** The file of the deny list in force; null: there is none, or it is no file. */
  readonly denyListFile: () => string | null;
  readonly reload: () => Promise<readonly string[]>;
}

/** Callers who wait for their turn. */
const maxWaiting = 16;

/**
 * `POST /deny-list` with an entry as JSON, in the words of a policy: appends it to the file of the deny list, and reloads.
 * Answered when it is in force. The file is replaced whole: whoever reads it meanwhile reads the old or the new one.
 */
export function denyListEndpoint(parts: DenyListParts): Endpoint {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    method: 'POST',
    path: '/deny-list',
    permission: 'changing',
    bodyLimit: 16 * 1024,
    async handle(call): Promise<WholeAnswer> {
      const line = entryOf(call);
      if (waiting >= maxWaiting) return json(503, { result: 'failure', problems: ['too many at once'] });
      waiting++;
      const added = last.then(() => append(parts.denyListFile(), line));
      last = added.catch(() => {}).finally(() => waiting--);
      try {
        const entries = await added;
        const problems = await parts.reload();
        return problems.length === 0
          ? json(200, { result: 'success', entries })
          : json(409, { result: 'failure', problems: problems.slice(0, 100) });
      } catch (error) {
        if (error instanceof CannotAdd) return json(409, { result: 'failure', problems: [error.message] });
        throw error;
      }
    },
  };
}

/** The line of the file; JSON is YAML, and what comes behind the entry says who wrote it. */
function entryOf(call: Call): string {
  const text = JSON.stringify(jsonOf(call));
  const compiled = compileDenyList('the body', `[${text}]`);
  if ('problems' in compiled) throw new BadCall(compiled.problems.join('\n'));
  const by = printable(shorten(call.caller, 300));
  return `- ${text} # ${by}, ${new Date().toISOString()}\n`;
}

/** Gives how many entries there are now. @throws CannotAdd */
async function append(file: string | null, line: string): Promise<number> {
  if (file === null) throw new CannotAdd('the configuration names no denyList file');
  // In Kubernetes the file is a symbolic link to one that is replaced.
  const [target, before] = await wordsOf('read', async () => {
    const path = await realpath(file);
    if ((await stat(path)).size > maxFileSize) throw new CannotAdd('the deny list is too large');
    return [path, await readFile(path, 'utf8')];
  });
  const old = compileDenyList(basename(file), before);
  if ('problems' in old) throw new CannotAdd(`the deny list as it is has problems: ${old.problems[0]}`);
  // An empty list is written `[]`, which cannot be added to; comments stay.
  const kept = old.list.entries > 0 ? before : (before.match(/^#.*$/gm) ?? []).join('\n');
  const after = `${kept}${kept === '' || kept.endsWith('\n') ? '' : '\n'}${line}`;
  const next = compileDenyList(basename(file), after);
  if ('problems' in next || next.list.entries !== old.list.entries + 1) {
    throw new CannotAdd('the deny list cannot be added to: write each entry on a line that begins with `-`');
  }
  await wordsOf('written', () => replace(target, after));
  return next.list.entries;
}

/** Replaces a file by a rename, with the mode that it has. */
async function replace(file: string, text: string): Promise<void> {
  const { mode } = await stat(file);
  const temporary = join(dirname(file), `.${basename(file)}.${randomUUID()}`);
  try {
    const handle = await open(temporary, 'wx', mode & 0o777);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function wordsOf<Result>(what: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof CannotAdd) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new CannotAdd(`the deny list cannot be ${what}: ${code ?? 'an error'}`);
  }
}
