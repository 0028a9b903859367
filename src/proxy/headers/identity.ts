import type { Dialect } from '../../config/schema.ts';
import { handshakeVerdict, type Connection } from '../../snapshot/connection.ts';
import type { ClientAuth, IdentityHeaders } from '../../snapshot/snapshot.ts';
import type { Proof, WriteDialect } from './dialects/dialect.ts';
import { writeHaproxy } from './dialects/haproxy.ts';
import { writeNginx } from './dialects/nginx.ts';
import { writeRfc9440 } from './dialects/rfc9440.ts';
import { writeTraefik } from './dialects/traefik.ts';
import { writeXfcc } from './dialects/xfcc.ts';
import { isToken } from './field.ts';
import { ownNames } from './forwarded.ts';
import { hopByHopNames } from './hop-by-hop.ts';
import { foldHeaderName } from './names.ts';
import { compileTemplate, type Template } from './template.ts';

const dialects: Readonly<Record<Dialect, WriteDialect>> = {
  nginx: writeNginx,
  xfcc: writeXfcc,
  rfc9440: writeRfc9440,
  traefik: writeTraefik,
  haproxy: writeHaproxy,
};

/**
 * The headers that tell an upstream who the client is: name, value, …. They depend on the connection, the host
 * and the route's settings and on nothing in the request, so they are planned once and kept with the
 * connection while its requests go to one route; the same array comes back then.
 *
 * The identity counts only as it was verified against the trust store of the route (rule 5): a connection may
 * be used for a host or route that asks for no certificates, and there its certificate is as if none had been sent.
 *
 * @throws Error if a template does not compile or a value could not stand in a header: the request is not to be
 *   sent without its identity, so it is not to be sent.
 */
export function planIdentityHeaders(
  connection: Connection,
  clientAuth: ClientAuth,
  identityHeaders: IdentityHeaders,
): readonly string[] {
  const key = clientAuth.mode === 'off' ? null : (clientAuth.trust?.key ?? null);
  const last = planned.get(connection);
  if (last !== undefined && last.identityHeaders === identityHeaders && last.key === key) return last.headers;
  const headers = write(proofFor(connection, clientAuth, identityHeaders), identityHeaders);
  planned.set(connection, { identityHeaders, key, headers });
  return headers;
}

interface Planned {
  readonly identityHeaders: IdentityHeaders;
  /** `Trust.key` of what the identity was verified against; null where no certificate is asked for. */
  readonly key: string | null;
  readonly headers: readonly string[];
}

/** One entry per connection: most stay with one route, and one is a bound. */
const planned = new WeakMap<Connection, Planned>();

function proofFor(connection: Connection, clientAuth: ClientAuth, { certificate }: IdentityHeaders): Proof {
  const verdict = handshakeVerdict(connection, clientAuth);
  return { verdict, identity: verdict.status === 'none' ? null : connection.identity, certificate };
}

function write(proof: Proof, identityHeaders: IdentityHeaders): readonly string[] {
  const templates = compiled(identityHeaders);
  const overridden = new Set([...templates.keys()].map(foldHeaderName));
  const headers: string[] = [];
  for (const dialect of identityHeaders.dialects) {
    const written = dialects[dialect](proof);
    for (let index = 0; index < written.length; index += 2) {
      const name = written[index] ?? '';
      if (!overridden.has(foldHeaderName(name))) headers.push(name, written[index + 1] ?? '');
    }
  }
  for (const [name, template] of templates) {
    const value = template.render(proof);
    if (value !== null) headers.push(name, value);
  }
  for (let index = 1; index < headers.length; index += 2) {
    if (!/^[!-~](?:[ -~]*[!-~])?$/.test(headers[index] ?? '')) {
      throw new Error(`the value of ${headers[index - 1]} cannot stand in a header`);
    }
  }
  return Object.freeze(headers);
}

/** Compiled once per settings: they live as long as their snapshot. */
const compiledTemplates = new WeakMap<IdentityHeaders, ReadonlyMap<string, Template>>();

function compiled(identityHeaders: IdentityHeaders): ReadonlyMap<string, Template> {
  const known = compiledTemplates.get(identityHeaders);
  if (known !== undefined) return known;
  const templates = new Map<string, Template>();
  for (const [name, text] of identityHeaders.templates) {
    const template = compileTemplate(text);
    if ('problem' in template) throw new Error(`the template of ${name}: ${template.problem}`);
    templates.set(name, template);
  }
  compiledTemplates.set(identityHeaders, templates);
  return templates;
}

/** What is wrong with one template of a configuration. */
export interface TemplateFault {
  readonly name: string;
  readonly problem: string;
}

/**
 * Checks a configuration's templates: that they compile, and that their header names are ones that we may set.
 * A template may take the place of a dialect's header of the same name, never that of a header which frames
 * the message, belongs to one hop, or is set by us for every request.
 */
export function checkTemplates(templates: Iterable<readonly [name: string, text: string]>): TemplateFault[] {
  const faults: TemplateFault[] = [];
  const seen = new Set<string>();
  for (const [name, text] of templates) {
    const folded = foldHeaderName(name);
    const nameProblem = checkName(name, folded);
    if (nameProblem !== null) faults.push({ name, problem: nameProblem });
    else if (seen.has(folded)) faults.push({ name, problem: 'another template writes the same header' });
    seen.add(folded);
    const template = compileTemplate(text);
    if ('problem' in template) faults.push({ name, problem: template.problem });
  }
  return faults;
}

function checkName(name: string, folded: string): string | null {
  if (!isToken(name)) return 'this is no header name';
  if (name.includes('_')) return 'servers drop header names with `_`, or read them as `-`';
  if (hopByHopNames.includes(folded) || ownNames.has(folded))
    return 'this header is not for a template to set';
  return null;
}
