import type { Fields } from './fields.ts';
import type { PortRef, Service, ServicePort } from './object.ts';
import type { Meta } from './read-meta.ts';

export function readService({ base }: Meta, object: Fields): Service {
  const spec = object.map('spec');
  const clusterIp = spec.text('clusterIP');
  return Object.freeze({
    kind: 'Service',
    ...base,
    type: spec.text('type') ?? 'ClusterIP',
    clusterIp: clusterIp === null || clusterIp === '' || clusterIp === 'None' ? null : clusterIp,
    externalName: spec.text('externalName'),
    ports: Object.freeze(spec.maps('ports').flatMap(readPort)),
  });
}

function readPort(fields: Fields): ServicePort[] {
  const port = fields.port('port');
  if (port === null) return [];
  const target = fields.get('targetPort');
  const targetPort: PortRef | null =
    typeof target === 'string' && !/^[0-9]+$/.test(target)
      ? target
      : typeof target === 'string'
        ? Number(target)
        : fields.port('targetPort');
  return [
    Object.freeze({
      name: fields.text('name') ?? '',
      port,
      targetPort: targetPort ?? port,
      protocol: fields.text('protocol') ?? 'TCP',
    }),
  ];
}
