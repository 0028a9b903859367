import { Compile } from 'typebox/compile';
import { readDocument } from '../../config/document.ts';
import { Dialect, Policy, type PolicyConfig } from '../../config/schema.ts';
import { quote } from '../../config/text.ts';
import { compilePolicy } from '../../policy/compile.ts';
import type { Ingress } from '../object.ts';
import { annotation, ownPrefix, type Parsed, type State, type ValueType } from './annotation.ts';
import { family, type RouteDraft } from './family.ts';
import { flag, listType, oneOf } from './value-types.ts';

const ours: State = { is: 'ours' };
const policySchema = Compile(Policy);

function parsePolicy(data: unknown): Parsed<PolicyConfig> {
  if (!policySchema.Check(data)) return { problem: 'is no policy: write rules such as {ou: ITOps}' };
  const compiled = compilePolicy(data, '');
  if ('policy' in compiled) return { value: data };
  const [{ path, message }] = compiled.problems as [{ path: string; message: string }];
  return { problem: `is no policy: ${path} ${message}` };
}

function parseYaml(text: string): Parsed<unknown> {
  const { data, problems } = readDocument('', text);
  const [problem] = problems;
  return problem === undefined ? { value: data } : { problem: `is no YAML: ${problem.message}` };
}

const policyType: ValueType<PolicyConfig> = {
  name: 'policy (YAML)',
  parse(text) {
    const yaml = parseYaml(text);
    return 'problem' in yaml ? yaml : parsePolicy(yaml.value);
  },
};

const pathPoliciesType: ValueType<ReadonlyMap<string, PolicyConfig>> = {
  name: 'map of path to policy (YAML)',
  parse(text) {
    const yaml = parseYaml(text);
    if ('problem' in yaml) return yaml;
    const { value } = yaml;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { problem: 'is no map of paths to policies' };
    }
    const policies = new Map<string, PolicyConfig>();
    for (const [path, rules] of Object.entries(value)) {
      const parsed = parsePolicy(rules);
      if ('problem' in parsed) return { problem: `holds ${quote(path)}, which ${parsed.problem}` };
      policies.set(path, parsed.value);
    }
    return { value: policies };
  },
};

const policy = annotation(
  'policy',
  policyType,
  'Rules over the client identity, for every path of the Ingress.',
  {
    prefix: ownPrefix,
    restricts: true,
    state: ours,
  },
);

const pathPolicies = annotation(
  'path-policies',
  pathPoliciesType,
  'Rules for single paths, by the path as the Ingress writes it; they hold beside `policy`.',
  { prefix: ownPrefix, restricts: true, state: ours },
);

const requireCertificate = annotation(
  'require-certificate',
  flag,
  'Its paths are for verified clients only (403), on a host where certificates are optional.',
  { prefix: ownPrefix, default: 'false', restricts: true, state: ours },
);

const clientAuthMode = annotation(
  'client-auth-mode',
  oneOf('require', 'optional', 'optional_no_ca', 'off'),
  'How its paths ask for client certificates, in place of `auth-tls-verify-client`; the CAs are those of the host.',
  { prefix: ownPrefix, restricts: true, state: ours },
);

const dialectNames = Dialect.anyOf.map((literal) => literal.const);
const dialects = annotation(
  'identity-headers',
  listType(oneOf(...dialectNames), dialectNames.join(', ')),
  'The dialects that the client identity is told to the upstream in.',
  { prefix: ownPrefix, default: 'nginx', restricts: true, state: ours },
);

/** Holds for whoever has a verified certificate. */
const anyone: PolicyConfig = { subject: { regex: '(?s).*' } };

function add(route: RouteDraft, rules: PolicyConfig): void {
  const before = route.config.policy;
  route.config.policy = before === undefined ? rules : { all: [before, rules] };
}

const strays = new WeakMap<Ingress, readonly string[]>();

/** Paths with a policy that the Ingress does not have. Looked for once, for there may be thousands of hosts in it. */
function straysOf(byPath: ReadonlyMap<string, unknown> | null, ingress: Ingress): readonly string[] {
  if (byPath === null) return [];
  let found = strays.get(ingress);
  if (found === undefined) {
    const paths = new Set(ingress.rules.flatMap((rule) => rule.paths.map(({ path }) => path)));
    found = [...byPath.keys()].filter((path) => !paths.has(path));
    strays.set(ingress, found);
  }
  return found;
}

export const identity = family({
  name: 'identity',
  title: 'Identity (our own)',
  annotations: [policy, pathPolicies, requireCertificate, clientAuthMode, dialects],
  applyHost(values, _host, context) {
    for (const path of straysOf(values.get(pathPolicies), context.ingress))
      context.error(pathPolicies, `${quote(path)} is no path of this Ingress: its paths answer 503`);
  },
  applyRoute(values, route, context) {
    const mode = values.get(clientAuthMode);
    if (mode !== null && mode !== 'off' && route.host.config.clientAuth?.ca === undefined) {
      context.error(clientAuthMode, 'the host has no CAs: its paths answer 503; give it auth-tls-secret');
      route.deny('client certificates are wanted, and there are no CAs');
    } else if (mode !== null && route.host.config.clientAuth !== undefined)
      route.config.clientAuth = { mode };
    const byPath = values.get(pathPolicies);
    if (byPath !== null) {
      if (straysOf(byPath, context.ingress).length > 0) route.deny('a path policy names no path');
      const rules = byPath.get(route.match.path);
      if (rules !== undefined) add(route, rules);
    }
    const rules = values.get(policy);
    if (rules !== null) add(route, rules);
    if (values.get(requireCertificate) === true) add(route, anyone);
    const names = values.get(dialects);
    if (names !== null) route.config.identityHeaders = { dialects: [...names] };
  },
});
