import { annotation, different, type Parsed, type ValueType } from './annotation.ts';
import { defaultBackend } from './routing.ts';
import { family } from './family.ts';
import { flag } from './value-types.ts';

const statuses: ValueType<readonly number[]> = {
  name: 'statuses',
  parse(text): Parsed<readonly number[]> {
    const parts = text.split(',').map((part) => part.trim());
    if (parts.length > 64 || !parts.every((part) => /^[45][0-9]{2}$/.test(part)))
      return { problem: 'is no list of statuses from 400 to 599' };
    return { value: Object.freeze([...new Set(parts.map(Number))]) };
  },
};

const errors = annotation(
  'custom-http-errors',
  statuses,
  'Statuses in whose place the default backend answers, asked with X-Code, X-Format, X-Original-URI and where it comes from.',
  {
    global: true,
    state: different("It gets neither the request's other headers nor its arguments, but in X-Original-URI."),
  },
);
const leave = annotation(
  'disable-proxy-intercept-errors',
  flag,
  "Leave error answers as they are, whatever the ConfigMap's `custom-http-errors` says.",
  { default: 'false', global: true, state: different('Errors of our own are left too.') },
);

export const errorPages = family({
  name: 'error-pages',
  title: 'Error pages',
  annotations: [errors, leave],
  applyRoute(values, route, context) {
    const wanted = context.value(errors);
    if (wanted === null || (context.value(leave) === true && values.get(errors) === null)) return;
    const upstream = route.standIn === null ? context.globalBackend() : context.upstream(route.standIn);
    if (upstream === null) {
      if (values.has(errors))
        context.error(
          errors,
          `has no effect: there is no ${defaultBackend.name}, here or with --default-backend-service`,
        );
      return;
    }
    const { ingress, backend } = route;
    route.config.errorPages = {
      statuses: [...wanted],
      upstream,
      headers: {
        'X-Namespace': ingress.namespace,
        'X-Ingress-Name': ingress.name,
        ...(backend === null
          ? {}
          : { 'X-Service-Name': backend.service, 'X-Service-Port': String(backend.port) }),
      },
    };
  },
});
