import { readHtpasswd } from '../../config/htpasswd.ts';
import { quote } from '../../config/text.ts';
import type { Secret } from '../object.ts';
import { blockCidrs } from '../settings/clients.ts';
import { annotation, different, type ValueType } from './annotation.ts';
import { type Context, family, type RouteDraft } from './family.ts';
import { objectName, oneOf, ranges } from './value-types.ts';

const allow = annotation(
  'allowlist-source-range',
  ranges,
  'Only clients of these networks may come in (403). Behind a trusted proxy it is the address that the proxy tells.',
  { aliases: ['whitelist-source-range'], risk: 'Medium', restricts: true, global: 'whitelist-source-range' },
);
const deny = annotation('denylist-source-range', ranges, 'Clients of these networks may not come in (403).', {
  risk: 'Medium',
  restricts: true,
  global: true,
});
const satisfy = annotation(
  'satisfy',
  oneOf('all', 'any'),
  'Whether the address and a password must both be right, or one is enough. Client certificates hold in any case.',
  { default: 'all', restricts: true },
);
const type = annotation('auth-type', oneOf('basic', 'digest'), 'Ask for a user and a password.', {
  restricts: true,
  state: different('Digest is refused: its passwords are kept as MD5 that is as good as the password.'),
});
const secret = annotation(
  'auth-secret',
  objectName,
  'The Secret with the users, and their passwords as bcrypt, apr1 or {SHA}.',
  {
    risk: 'Medium',
    restricts: true,
    state: different('Without `auth-type` it refuses the paths, where ingress-nginx lets everyone in.'),
  },
);
const secretType = annotation(
  'auth-secret-type',
  oneOf('auth-file', 'auth-map'),
  'Whether they are in one file under the key `auth`, or each under a key of their name.',
  { default: 'auth-file', restricts: true },
);
const realmType: ValueType<string> = {
  name: 'text',
  parse(written) {
    return /^[ !#-[\]-~]{1,256}$/.test(written)
      ? { value: written }
      : { problem: 'is more than one line of printable ASCII without quotes and backslashes' };
  },
};
const realm = annotation('auth-realm', realmType, 'What the browser says is asked for.', {
  risk: 'Medium',
  state: different('Variables are not filled in, and `off` is a realm and turns nothing off.'),
});

/** An htpasswd file of a Secret; null, with the problem told, where nobody could log in by it. */
function usersOf(found: Secret, map: boolean, context: Context): string | null {
  const text = map ? mapText(found, context) : bytesText(found.data.get('auth'));
  if (text === null) {
    context.errorElsewhere(
      secret,
      'the Secret has no `auth`, the file with its users: the paths of this Ingress answer 503',
    );
    return null;
  }
  const { entries, problems } = readHtpasswd(text);
  for (const problem of problems.slice(0, 10))
    context.errorElsewhere(secret, `in the Secret, ${problem}: left out`);
  if (entries.length === 0) {
    context.errorElsewhere(secret, 'the Secret has no users: the paths of this Ingress answer 503');
    return null;
  }
  return entries.map(([name, hash]) => `${name}:${hash}\n`).join('');
}

/** One user for each key. A value of several lines could bring users of its own. */
function mapText({ data }: Secret, context: Context): string {
  let text = '';
  for (const [name, bytes] of data) {
    const hash = bytesText(bytes)?.trim() ?? '';
    if (/^[!-~]+$/.test(hash)) text += `${name}:${hash}\n`;
    else context.errorElsewhere(secret, `in the Secret, ${quote(name)} is no password hash: left out`);
  }
  return text;
}

function bytesText(bytes: Uint8Array | undefined): string | null {
  return bytes === undefined ? null : Buffer.from(bytes).toString('latin1');
}

/** Gives the name of the htpasswd file; null where the paths are to be refused. */
function basicAuth(context: Context): string | null {
  const { values } = context;
  const method = values.get(type);
  if (method === 'digest') {
    context.error(type, 'digest is not taken: the paths of this Ingress answer 503; write basic, over TLS');
    return null;
  }
  const name = values.get(secret);
  if (method === null || name === null) {
    const [there, missing] = method === null ? [secret, 'auth-type'] : [type, 'auth-secret'];
    context.error(there, `has no effect without ${missing}: the paths of this Ingress answer 503`);
    return null;
  }
  const found = context.secret(secret, name);
  if (found === null) return null;
  const map = values.get(secretType) === 'auth-map';
  const users = usersOf(found, map, context);
  return users === null ? null : context.file(found, map ? 'users.htpasswd' : 'auth', users);
}

export const access = family({
  name: 'access',
  title: 'Source ranges and passwords',
  annotations: [allow, deny, satisfy, type, secret, secretType, realm],
  applyRoute(values, route, context) {
    const rules: NonNullable<RouteDraft['config']['access']> = {};
    const [only, never] = [context.value(allow), context.value(deny)];
    if (only !== null) rules.allow = [...only];
    const blocked = [...(never ?? []), ...(context.setting(blockCidrs) ?? [])];
    if (blocked.length > 0) rules.deny = blocked;
    if (values.has(type) || values.has(secret)) {
      const file = basicAuth(context);
      if (file === null) route.deny('passwords are wanted, and cannot be asked for');
      else {
        const name = values.get(realm);
        rules.basicAuth = { users: file, ...(name === null ? {} : { realm: name }) };
      }
    }
    if (Object.keys(rules).length === 0) return;
    if (values.get(satisfy) === 'any') rules.satisfy = 'any';
    route.config.access = rules;
  },
});
