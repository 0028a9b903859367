import { minMaxAgeMs } from '../../snapshot/compile/ocsp.ts';
import { error, type Finding, given, pointer } from '../problem.ts';
import type { Config, HostConfig } from '../schema.ts';
import { parseDuration } from '../units.ts';

/** Responders that can be asked, times that can be kept, and one source for each staple. */
export function checkOcsp(config: Config): Finding[] {
  return config.hosts.flatMap((host, index) => {
    const path = pointer('hosts', index);
    return [
      ...stapleFindings(host.certificate, `${path}/certificate`),
      ...settingsFindings(host.clientAuth?.ocsp, `${path}/clientAuth/ocsp`),
      ...host.routes.flatMap(({ clientAuth }, number) =>
        settingsFindings(clientAuth?.ocsp, `${path}/routes/${number}/clientAuth/ocsp`),
      ),
    ];
  });
}

function stapleFindings({ stapling, ocspResponse }: HostConfig['certificate'], path: string): Finding[] {
  if (stapling !== true || ocspResponse === undefined) return [];
  const both = 'stapling and ocspResponse exclude each other: ask the responder, or staple the file';
  return [given(error(`${path}/stapling`, both), `${path}/ocspResponse`)];
}

type Settings = NonNullable<HostConfig['clientAuth']>['ocsp'];

function settingsFindings(settings: Settings, path: string): Finding[] {
  if (settings === undefined) return [];
  const { responder, timeout, maxAge } = settings;
  return [
    ...(responder === undefined || URL.parse(responder)?.protocol === 'http:'
      ? []
      : [error(`${path}/responder`, 'is no http URL')]),
    ...timeFindings(timeout, 1, `${path}/timeout`, 'must be longer than 0: a responder may never answer'),
    ...timeFindings(
      maxAge,
      minMaxAgeMs,
      `${path}/maxAge`,
      'must be 1s or longer: each connection lasts only as long as its answer',
    ),
  ];
}

function timeFindings(text: string | undefined, min: number, path: string, tooShort: string): Finding[] {
  if (text === undefined) return [];
  try {
    return parseDuration(text) < min ? [error(path, tooShort)] : [];
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault;
    return [error(path, fault.message)];
  }
}
