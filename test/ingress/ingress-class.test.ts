import t from 'tap';
import { isOurs } from '../../src/ingress/ingress-class.ts';
import type { Ingress, IngressClass } from '../../src/ingress/object.ts';
import { readObject } from '../../src/ingress/read-object.ts';
import { ingress, ingressClass } from '../support/objects.ts';

const read = (manifest: object): unknown => {
  const result = readObject(manifest, { at: () => 'test' });
  if ('object' in result) return result.object;
  throw new Error(JSON.stringify(result));
};
const ours = 'k8s.io/ingress-nginx';
const classes = new Map(
  [ingressClass('nginx', ours), ingressClass('also', ours), ingressClass('other', 'example.com/other')].map(
    (one) => [one.metadata.name, read(one) as IngressClass],
  ),
);
const rules = { ingressClass: 'nginx', controllerClass: ours, watchWithoutClass: false, requiresClass: true };
const asks = (className: string | null, annotation?: string): Ingress =>
  read(
    ingress({
      host: 'a.test',
      className,
      annotations: annotation === undefined ? {} : { 'kubernetes.io/ingress.class': annotation },
    }),
  ) as Ingress;

void t.test(
  'in a cluster the controller of the class decides, and a class that is not there is nobody’s',
  async (t) => {
    t.ok(isOurs(asks('nginx'), classes, rules));
    t.ok(isOurs(asks('also'), classes, rules));
    t.notOk(isOurs(asks('other'), classes, rules));
    t.notOk(isOurs(asks('other', 'nginx'), classes, rules), 'the field goes before the annotation');
    t.notOk(isOurs(asks('nginx'), new Map(), rules));
    t.ok(
      isOurs(asks('nginx'), new Map(), { ...rules, requiresClass: false }),
      'without a cluster the name will do',
    );
    t.ok(isOurs(asks(null, 'nginx'), new Map(), rules), 'the annotation is older than classes');
    t.notOk(isOurs(asks(null, 'other'), classes, rules));
  },
);

void t.test(
  'an Ingress without a class is ours if our class is the default one, or we were told so',
  async (t) => {
    t.notOk(isOurs(asks(null), classes, rules));
    t.ok(isOurs(asks(null), classes, { ...rules, watchWithoutClass: true }));
    const defaults = (controller: string) =>
      new Map([['x', read(ingressClass('x', controller, true)) as IngressClass]]);
    t.ok(isOurs(asks(null), defaults(ours), rules));
    t.notOk(isOurs(asks(null), defaults('example.com/other'), rules));
  },
);
