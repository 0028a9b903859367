import { Type, type Static } from 'typebox';

/** Whether checks refuse, or only say whom they would. */
export const Enforcement = Type.Union([Type.Literal('enforce'), Type.Literal('report')], {
  description:
    'report: serve whom the certificate check or a policy would refuse, and log and count it (would_deny). Never let through so: revoked and denied certificates, and connections that were not verified for the host. Default enforce; a route does as its host.',
});
export type Enforcement = Static<typeof Enforcement>;
