/** What the API server wants judged, of an AdmissionReview. */
export interface Review {
  /** In which it asked, and is answered. */
  readonly apiVersion: ReviewVersion;
  readonly uid: string;
  readonly operation: string;
  /** Of the object, as the server says; empty where it has none. */
  readonly namespace: string;
  readonly name: string;
  /** As it would be stored; believed in nothing. Null for what is deleted. */
  readonly object: Readonly<Record<string, unknown>> | null;
  /** As it is stored. */
  readonly oldObject: Readonly<Record<string, unknown>> | null;
}

const versions = ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'] as const;
export type ReviewVersion = (typeof versions)[number];

/** What becomes of it. Warnings are shown to whoever writes the object. */
export type Verdict =
  | { readonly allowed: true; readonly warnings: readonly string[] }
  | {
      readonly allowed: false;
      readonly warnings: readonly string[];
      /** One line for each reason. */
      readonly reasons: readonly string[];
      /** 400: the object is wrong; 503: it cannot be said yet. */
      readonly code: 400 | 503;
    };

export const allowed: Verdict = Object.freeze({ allowed: true, warnings: [] });

/** More reasons, or warnings, are not told. The API server cuts warnings off at 4096 characters itself. */
const maxLines = 20;

/** A uid has 36 characters. */
const maxUid = 128;

/** Reads the body of a review: plain JSON data. Null for what is none. Pure. */
export function readReview(data: unknown): Review | null {
  const { apiVersion, kind, request } = recordOf(data) ?? {};
  const version = versions.find((one) => one === apiVersion);
  const asked = recordOf(request);
  if (version === undefined || kind !== 'AdmissionReview' || asked === null) return null;
  const { uid, operation, namespace = '', name = '', object = null, oldObject = null } = asked;
  const isText = [uid, operation, namespace, name].every((value) => typeof value === 'string');
  if (!isText || uid === '' || (uid as string).length > maxUid) return null;
  const [now, before] = [recordOf(object), recordOf(oldObject)];
  if ((now === null && object !== null) || (before === null && oldObject !== null)) return null;
  return {
    apiVersion: version,
    uid: uid as string,
    operation: operation as string,
    namespace: namespace as string,
    name: name as string,
    object: now,
    oldObject: before,
  };
}

/** The answer's body, as plain JSON data. Warnings are of `v1` alone. Pure. */
export function answerTo({ apiVersion, uid }: Review, verdict: Verdict): object {
  const warnings = verdict.warnings.slice(0, maxLines);
  return {
    apiVersion,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: verdict.allowed,
      ...(verdict.allowed ? {} : { status: statusOf(verdict) }),
      ...(warnings.length > 0 && apiVersion === 'admission.k8s.io/v1' ? { warnings } : {}),
    },
  };
}

function statusOf({ reasons, code }: Verdict & { readonly allowed: false }): object {
  const left = reasons.length - maxLines;
  const lines = left > 0 ? [...reasons.slice(0, maxLines), `and ${left} more`] : reasons;
  return { code, reason: code === 400 ? 'BadRequest' : 'ServiceUnavailable', message: lines.join('\n') };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}
