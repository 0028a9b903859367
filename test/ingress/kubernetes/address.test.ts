import t from 'tap';
import {
  addressesOfService,
  addressOf,
  printOfAddresses,
  readAddresses,
  withoutAddresses,
} from '../../../src/ingress/kubernetes/address.ts';

void t.test('a Service is published as ingress-nginx does, by its type', (t) => {
  const loadBalancer = { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.example.com' }] };
  const table: readonly (readonly [spec: object, status: object, addresses: readonly object[]])[] = [
    [{ type: 'LoadBalancer' }, { loadBalancer }, [{ ip: '192.0.2.1' }, { hostname: 'lb.example.com' }]],
    [{ type: 'LoadBalancer', clusterIP: '10.0.0.1' }, {}, []],
    [
      { type: 'LoadBalancer', externalIPs: ['192.0.2.1', '192.0.2.9'] },
      { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
      [{ ip: '192.0.2.1' }, { ip: '192.0.2.9' }],
    ],
    [{ type: 'NodePort', clusterIP: '10.0.0.1', externalIPs: ['192.0.2.9'] }, {}, [{ ip: '192.0.2.9' }]],
    [{ type: 'NodePort', clusterIP: '10.0.0.1' }, {}, [{ ip: '10.0.0.1' }]],
    [{ type: 'ClusterIP', clusterIP: '10.0.0.1' }, { loadBalancer }, [{ ip: '10.0.0.1' }]],
    [{ type: 'ClusterIP', clusterIP: 'fd00::1' }, {}, [{ ip: 'fd00::1' }]],
    [{ type: 'ClusterIP', clusterIP: 'None' }, {}, []],
    [{ type: 'ExternalName', externalName: 'edge.example.com' }, {}, [{ hostname: 'edge.example.com' }]],
    [{ type: 'ExternalName', externalName: '192.0.2.7' }, {}, [{ ip: '192.0.2.7' }]],
  ];
  for (const [spec, status, addresses] of table)
    t.strictSame(addressesOfService({ spec, status }), addresses, JSON.stringify({ spec, status }));
  t.end();
});

void t.test('what is no address is none, whatever else stands there', (t) => {
  for (const ingress of [
    null,
    'text',
    [null],
    [{ ip: 1 }],
    [{ ip: '300.1.1.1' }],
    [{ hostname: 'not a name' }],
    [{ ip: '' }],
  ])
    t.strictSame(readAddresses({ loadBalancer: { ingress } }), [], JSON.stringify(ingress));
  for (const service of [null, 1, {}, { spec: { type: 'LoadBalancer', externalIPs: [1, 'x'] } }])
    t.strictSame(addressesOfService(service), []);
  t.equal(addressOf('a b'), null);
  t.equal(addressOf(''), null);
  const many = Array.from({ length: 5000 }, (_, index) => ({ ip: `10.0.${index >> 8}.${index & 255}` }));
  t.equal(readAddresses({ loadBalancer: { ingress: many } }).length, 100, 'and no more than a hundred');
  t.end();
});

void t.test('order and repetition make no difference, and what is taken away leaves the rest', (t) => {
  const [one, two] = [{ ip: '192.0.2.1' }, { hostname: 'lb.example.com' }] as const;
  t.equal(printOfAddresses([one, two, one]), printOfAddresses([two, one]));
  t.not(printOfAddresses([one]), printOfAddresses([one, two]));
  t.not(printOfAddresses([]), printOfAddresses([one]));
  t.strictSame(withoutAddresses([one, two], [one]), [two]);
  t.strictSame(withoutAddresses([one], [two]), [one]);
  t.end();
});
