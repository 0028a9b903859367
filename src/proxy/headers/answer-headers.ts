import type { Decision } from '../../snapshot/decision.ts';
import { withCors } from './cors.ts';
import { editResponseHeaders } from './edit-response.ts';
import { readOrigin } from './preflight.ts';

/** The headers of an answer, an upstream's or our own, as the route that was decided on wants them. */
export function answerHeaders(
  headers: readonly string[],
  { route, reason }: Pick<Decision, 'route' | 'reason'>,
  scheme: 'https' | 'http',
  requestHeaders: readonly string[],
): readonly string[] {
  if (route === null) return headers;
  const { response, cors } = route;
  const edited = response === null ? headers : editResponseHeaders(headers, response, scheme);
  if (cors === null || reason === 'cors_preflight') return edited;
  return withCors(edited, cors, readOrigin(requestHeaders));
}
