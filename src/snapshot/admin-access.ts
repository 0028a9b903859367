import type { Token } from '../config/tokens.ts';
import type { Policy } from '../policy/policy.ts';

/** Who may use the admin listener. */
export interface AdminAccess {
  readonly reading: Grant;
  /** Whoever may change may also read. */
  readonly changing: Grant;
  /** Who may ask whether the program lives and takes traffic: everyone, or who may read. */
  readonly probes: 'open' | 'reading';
}

/**
 * `open`: everyone on this machine, and on a listener that others reach nobody. `off`: nobody. Else whoever shows one of
 * the tokens, or a certificate that is verified and that the policy lets in; without a policy no certificate counts.
 */
export type Grant = 'open' | 'off' | { readonly tokens: readonly Token[]; readonly policy: Policy | null };

/** As long as no configuration says otherwise. */
export const nobody: AdminAccess = Object.freeze({ reading: 'off', changing: 'off', probes: 'open' });
