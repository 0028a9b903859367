import type { Enforcement } from '../config/schema/report.ts';
import { policyReasons, type RefusalReason, verificationReasons } from './reason.ts';
import type { Host } from './snapshot.ts';
import type { Respond } from './decision.ts';

/** Which checks only report: they are asked like all others, and what they refuse is served, logged and counted. */
export interface Reports {
  readonly certificate: boolean;
  readonly hostPolicy: boolean;
  readonly routePolicy: boolean;
}

/** Every check refuses. */
export const enforced: Reports = Object.freeze({ certificate: false, hostPolicy: false, routePolicy: false });

/** A check that may report. */
export type ReportingCheck = 'certificate' | 'host_policy' | 'route_policy';

/** What a request was served in spite of. */
export interface WouldDeny {
  /** The first check that would have refused it. */
  readonly check: ReportingCheck;
  readonly reason: RefusalReason;
  /** That it would have been answered with. */
  readonly status: number;
  /** For the operator only. */
  readonly detail: string | null;
  /** The certificate check was passed over: nobody is to be told of an identity. */
  readonly unverified: boolean;
}

/**
 * Refusals of the certificate check that hold also where it only reports: a CA or its responder has said no in so many
 * words; the deny list cannot be asked about what cannot be read; and what is too old (421) is asked anew.
 */
const firm: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  'revoked',
  'malformed_cert',
  'ocsp_expired',
]);

/** Every reason that a request may be served in spite of. */
export const reportable: readonly RefusalReason[] = Object.freeze(
  ['no_certificate' as const, ...verificationReasons, ...policyReasons].filter((reason) => !firm.has(reason)),
);

/** Whether one of the host's checks, or of its routes', only reports. */
export function reportsSomething({ reports, routes }: Host): boolean {
  const any = ({ certificate, hostPolicy, routePolicy }: Reports): boolean =>
    certificate || hostPolicy || routePolicy;
  return any(reports) || routes.all.some((route) => any(route.reports));
}

/** Whether the certificate check of the host, or of one of its routes, only reports. */
export function reportsCertificates({ reports, routes }: Host): boolean {
  return reports.certificate || routes.all.some((route) => route.reports.certificate);
}

/** Whether a refusal may be gone by where its check reports. */
export function mayPass({ reason }: Respond): boolean {
  return !firm.has(reason);
}

/** What is remembered of a refusal that was gone by. */
export function wouldDenyBy(check: ReportingCheck, { reason, status, detail }: Respond): WouldDeny {
  return { check, reason, status, detail, unverified: check === 'certificate' };
}

interface Modes {
  readonly mode?: Enforcement;
  readonly policyMode?: Enforcement;
}

/** Of a host, for requests that come to none of its routes. */
export function reportsOfHost({ mode = 'enforce', policyMode = mode }: Modes): Reports {
  return { certificate: mode === 'report', hostPolicy: policyMode === 'report', routePolicy: false };
}

/**
 * Of a route. What it says of itself holds for its own checks; the host's policy only reports where the host says so, and
 * the route does not say `enforce`.
 */
export function reportsOfRoute(host: Modes, route: Modes): Reports {
  const mode = route.mode ?? host.mode ?? 'enforce';
  return {
    certificate: mode === 'report',
    hostPolicy: reportsOfHost(host).hostPolicy && route.mode !== 'enforce',
    routePolicy: (route.policyMode ?? mode) === 'report',
  };
}
