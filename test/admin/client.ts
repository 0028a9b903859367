import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { Admin, type AdminDeps } from '../../src/admin/admin.ts';
import { type AdminParts, endpointsOf } from '../../src/admin/endpoints.ts';
import type { AdminAccess } from '../../src/snapshot/admin-access.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { Denials } from '../../src/observe/denials/ring.ts';
import { testSnapshot } from '../support/snapshot.ts';

export const metricsPage = '# HELP x X.\n# TYPE x gauge\nx 1\n';

/** As it is where nothing is configured. */
export const usualAccess: AdminAccess = { reading: 'open', changing: 'off', probes: 'open' };

export interface Told {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Settings extends Partial<AdminParts> {
  readonly access?: () => AdminAccess;
  readonly more?: AdminDeps['endpoints'];
  readonly told?: Told[];
}

const listenersWith = (access: AdminAccess): Snapshot['listeners'] => {
  const { listeners } = testSnapshot([]);
  return { ...listeners, admin: { ...listeners.admin, access } };
};

export function makeAdmin({ access, more = [], told = [], ...parts }: Settings = {}): Admin {
  return new Admin({
    snapshot: () => ({ denyList: null, listeners: listenersWith(access?.() ?? usualAccess) }),
    log: { program: (level, message, fields) => void told.push({ level, message, fields: { ...fields } }) },
    endpoints: [
      ...endpointsOf({
        metrics: () => Promise.resolve(metricsPage),
        ready: () => ({ ready: true }),
        status: () => ({ version: '1.2.3' }),
        snapshot: () => testSnapshot([]),
        denials: new Denials({ keep: 10, bytes: 100_000 }),
        identities: () => Promise.resolve({ entries: [], since: 0, evicted: 0 }),
        page: () => Promise.reject(new Error('no page in this test')),
        reload: () => Promise.resolve([]),
        denyListFile: () => null,
        drain: () => {},
        ...parts,
      }),
      ...more,
    ],
  });
}

/** An admin listener on a port that the system picks, closed at the end of the test. */
export async function start(t: Test, settings: Settings = {}, address = '127.0.0.1'): Promise<AddressInfo> {
  const admin = makeAdmin(settings);
  t.teardown(() => admin.close());
  return admin.listen({ address, port: 0 });
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export async function ask(
  { address, port }: AddressInfo,
  path: string,
  options: RequestOptions & { readonly body?: string } = {},
): Promise<Reply> {
  const request = httpRequest({ host: address, port, path, agent: false, ...options });
  request.end(options.body);
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
  response.setEncoding('utf8');
  let body = '';
  for await (const chunk of response) body += chunk as string;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/** Sends bytes as they are and reads until the other side closes. */
export async function sendRaw({ address, port }: AddressInfo, text: string): Promise<string> {
  const socket = connect(port, address);
  socket.setEncoding('utf8');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk as string;
  return answer;
}
