import type { Fields } from './fields.ts';
import type { IngressClass } from './object.ts';
import type { Meta } from './read-meta.ts';

/** Marks the class of Ingresses that name none. */
const defaultClass = 'ingressclass.kubernetes.io/is-default-class';

export function readIngressClass({ base }: Meta, object: Fields): IngressClass {
  return Object.freeze({
    kind: 'IngressClass',
    ...base,
    controller: object.map('spec').text('controller') ?? '',
    isDefault: base.annotations.get(defaultClass) === 'true',
  });
}
