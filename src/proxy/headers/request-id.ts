import { valuesOf } from './field.ts';

const acceptable = /^[A-Za-z0-9._~+/=:@-]{1,128}$/;

/** The client's X-Request-ID, or null where there is none or more than one. */
export function clientRequestId(rawHeaders: readonly string[]): string | null {
  const [value, ...others] = valuesOf(rawHeaders, 'x-request-id');
  return value === undefined || others.length > 0 ? null : value;
}

/**
 * The request's id: the client's own, as ingress-nginx keeps it, so that a chain of services logs one id. But
 * only 1–128 characters that are safe in every log, header and page; else the generated one.
 */
export function chooseRequestId(clientValue: string | null, generated: string): string {
  return clientValue !== null && acceptable.test(clientValue) ? clientValue : generated;
}
