import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { readDocument } from '../../src/config/document.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { checkRules } from '../../src/config/rules.ts';
import type { Config } from '../../src/config/schema.ts';
import { checkShape } from '../../src/config/shape.ts';
import { createAuthority } from '../support/pki.ts';

/** A configuration with one of everything, and nothing wrong with it. */
export const valid = `listeners:
  https: { address: 127.0.0.1, port: 8443 }
  http: { address: 127.0.0.1, port: 8080, redirectPort: 443 }
  admin: { address: 127.0.0.1, port: 9090 }
hosts:
  - names: [a.example.com, '*.b.example.com', 192.0.2.1]
    certificate: { cert: server.pem, key: server-key.pem }
    clientAuth:
      mode: require
      strict: true
      ca: ca.pem
      crl: ca.crl
      verifyDepth: 2
    policy:
      o: Example
      any:
        - cn: [a, 'b*', { regex: 'c[0-9]+' }]
        - not: { ou: { exact: '*' } }
        - subject: { L: Kathmandu }
    identityHeaders: { dialects: [nginx, xfcc], certificate: true, templates: { X-Client: '{cn}' } }
    routes:
      - path: /
        policy: { ou: ITOps }
        upstream: app
        timeouts: { connect: 1s, send: 2s, read: 500ms }
        bodyLimit: 8m
        upgrade: [websocket]
      - path: /exact
        pathType: Exact
        upstream: tls
  - names: [public.example.com]
    certificate: { cert: server.pem, key: server-key.pem }
    routes: [{ path: /, upstream: app }]
upstreams:
  app:
    endpoints: ['127.0.0.1:8000', '[::1]:8000']
    health: { path: /healthz?full, host: app.internal, interval: 5s, timeout: 1s }
    ejection: { failures: 3, duration: 10s, maxDuration: 1m }
  tls:
    endpoints: ['backend.internal:443']
    tls: { ca: ca.pem, serverName: backend.internal, cert: client.pem, key: client-key.pem }
limits: { headTimeout: 10s, headSize: 16k }
shutdown: { delay: 0s, grace: 0s }
accessLog: false
`;

/** Pieces of the valid configuration, and what stands there instead. */
export type Change = readonly (readonly [piece: string, by: string])[];

/** `valid` with pieces replaced; a piece that is not in it is a mistake of the test. */
export function changed(...replacements: Change): string {
  let text = valid;
  for (const [piece, by] of replacements) {
    if (!text.includes(piece)) throw new Error(`the valid configuration has no ${piece}`);
    text = text.replace(piece, () => by);
  }
  return text;
}

/** The problems of a text, without opening any file: formatted, in the order they are found. */
export function problemsOf(text: string): string[] {
  const { data, problems, place } = readDocument('c.yaml', text);
  if (problems.length > 0) return problems.map(formatProblem);
  const misfits = checkShape(data);
  const findings = misfits.length > 0 ? misfits : checkRules(data as Config);
  return findings.map((finding) => formatProblem(place(finding)));
}

/** A folder with these files in it, gone after the test. */
export function folder(t: Test, files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'mtls-ingress-config-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), contents, { mode: name.includes('key') ? 0o600 : 0o644 });
  }
  return path;
}

/** The files that `valid` names, all good. */
export async function material(): Promise<Record<string, string>> {
  const root = await createAuthority({ cn: 'Root' });
  const server = await root.issue({
    cn: 'server',
    usage: 'server',
    hosts: ['a.example.com', '*.b.example.com', '192.0.2.1', 'public.example.com'],
  });
  const client = await root.issue({ cn: 'client' });
  return {
    'ca.pem': root.cert,
    'ca.crl': root.crl(),
    'server.pem': server.bundle,
    'server-key.pem': server.key,
    'client.pem': client.bundle,
    'client-key.pem': client.key,
  };
}

/** A change of the valid configuration, and what is said of it. */
export interface Case {
  readonly name: string;
  readonly change: Change;
  /** `line:column /path message`, in the order they are found. One that ends in `…` pins the place alone. */
  readonly problems: readonly string[];
}

export function checkCases(t: Test, cases: readonly Case[]): void {
  for (const { name, change, problems } of cases) {
    const said = problemsOf(changed(...change)).map((problem, index) => {
      const place = problems[index]?.endsWith(' …') === true ? problems[index].slice(0, -1) : null;
      const text = problem.replace(/^c\.yaml:/, '');
      return place !== null && text.startsWith(place) ? `${place}…` : text;
    });
    t.same(said, problems, name);
  }
}
