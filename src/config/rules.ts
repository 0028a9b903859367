import type { Finding } from './problem.ts';
import { checkClientAuth } from './rules/client-auth.ts';
import { checkDestinations } from './rules/destinations.ts';
import { checkCors } from './rules/cors.ts';
import { checkListeners } from './rules/listeners.ts';
import { checkNames } from './rules/names.ts';
import { checkOcsp } from './rules/ocsp.ts';
import { checkPolicies } from './rules/policies.ts';
import { checkProxyProtocol } from './rules/proxy-protocol.ts';
import { checkQuantities } from './rules/quantities.ts';
import { checkRoutes } from './rules/routes.ts';
import { checkTls } from './rules/tls.ts';
import { checkUpstreams } from './rules/upstreams.ts';
import type { Config } from './schema.ts';

/**
 * What the schema cannot say: whether the parts of a configuration fit each other, and whether each of its texts
 * can be read by the part of the program that it is meant for. Opens no file.
 */
export function checkRules(config: Config): Finding[] {
  return [
    checkListeners,
    checkProxyProtocol,
    checkNames,
    checkTls,
    checkClientAuth,
    checkOcsp,
    checkPolicies,
    checkRoutes,
    checkCors,
    checkDestinations,
    checkUpstreams,
    checkQuantities,
  ].flatMap((check) => check(config));
}
