import { defaults } from '../../config/defaults.ts';
import type { HostConfig } from '../../config/schema.ts';
import type { OcspSettings, Stapling } from '../snapshot.ts';
import type { CompileContext } from './context.ts';
import { duration } from './duration.ts';

/** Milliseconds for which an answer must count at least: connections would be checked for every request. */
export const minMaxAgeMs = 1000;

type OcspConfig = NonNullable<HostConfig['clientAuth']>['ocsp'];

/** How responders are asked about client certificates; null: they are not. */
export function compileOcsp(context: CompileContext, config: OcspConfig, path: string): OcspSettings | null {
  if (config === undefined || config.mode === 'off') return null;
  const responder = config.responder === undefined ? null : URL.parse(config.responder);
  if (config.responder !== undefined && responder?.protocol !== 'http:') {
    context.problem(`${path}/responder`, 'the responder is no http URL');
  }
  const timeoutMs = duration(config.timeout, defaults.ocsp.timeoutMs);
  const maxAgeMs = duration(config.maxAge, defaults.ocsp.maxAgeMs);
  if (timeoutMs < 1) context.problem(`${path}/timeout`, 'the time-out is 0');
  if (maxAgeMs < minMaxAgeMs) context.problem(`${path}/maxAge`, 'maxAge is shorter than a second');
  return Object.freeze({ mode: config.mode, responder: responder?.href ?? null, timeoutMs, maxAgeMs });
}

/** What is stapled to a host's certificate. */
export function compileStapling(
  context: CompileContext,
  { stapling, ocspResponse }: HostConfig['certificate'],
  path: string,
): Stapling | null {
  if (ocspResponse === undefined) return stapling === true ? Object.freeze({ kind: 'fetched' }) : null;
  if (stapling === true) {
    context.problem(`${path}/stapling`, 'stapling and ocspResponse exclude each other: the file is stapled');
  }
  const response = context.file(ocspResponse, `${path}/ocspResponse`);
  return Object.freeze({
    kind: 'file',
    response: Buffer.from(response, 'latin1').toString('base64'),
    file: ocspResponse,
  });
}
