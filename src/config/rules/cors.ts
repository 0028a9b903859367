import { type Finding, given, pointer, warning } from '../problem.ts';
import type { Config } from '../schema.ts';

/** A CORS policy says what it means, and can be asked for. */
export function checkCors(config: Config): Finding[] {
  return config.hosts.flatMap(({ clientAuth, routes }, index) =>
    routes.flatMap(({ cors }, number) => {
      if (cors === undefined) return [];
      const path = pointer('hosts', index, 'routes', number, 'cors');
      const { origins = ['*'], credentials } = cors;
      const findings: Finding[] = [];
      if (clientAuth?.strict === true) {
        const message =
          'a browser shows no certificate with a preflight, and strict ends its connection: none is ever answered';
        findings.push(given(warning(path, message), pointer('hosts', index, 'clientAuth', 'strict')));
      }
      if (!origins.includes('*')) return findings;
      if (origins.length > 1) {
        findings.push(warning(`${path}/origins`, '`*` stands for every origin: the others say nothing more'));
      }
      if (credentials === true) {
        const message =
          'browsers send no credentials where every origin may: name the origins that need them';
        findings.push(given(warning(`${path}/credentials`, message), `${path}/origins`));
      }
      return findings;
    }),
  );
}
