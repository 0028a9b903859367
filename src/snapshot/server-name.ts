import { normaliseHostName } from './host-name.ts';
import type { Host, Snapshot } from './snapshot.ts';

/** Whose certificate and trust stores a handshake runs with, or why there is none. */
export type ServerNameResult =
  | {
      readonly host: Host;
      /** False: the default host stands in for a name that is unknown or absent. */
      readonly matched: boolean;
    }
  | { readonly refused: 'no_sni' | 'unknown_sni'; readonly detail: string };

/** @param serverName As the client sent it; null: it sent none. */
export function hostOfServerName(
  { hosts, defaultHost, standIn }: Pick<Snapshot, 'hosts' | 'defaultHost' | 'standIn'>,
  serverName: string | null,
): ServerNameResult {
  const name = serverName === null ? null : normaliseHostName(serverName);
  const named = name === null ? null : hosts.find(name);
  if (named !== null) return { host: named, matched: true };
  if (serverName === null && standIn.absent === 'refuse') {
    return { refused: 'no_sni', detail: 'the client named no server' };
  }
  if (serverName !== null && standIn.unknown === 'refuse') {
    return { refused: 'unknown_sni', detail: 'no host has this server name' };
  }
  return { host: defaultHost, matched: false };
}
