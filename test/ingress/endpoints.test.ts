import t from 'tap';
import { resolveBackend } from '../../src/ingress/endpoints.ts';
import { collectObjects } from '../../src/ingress/object-set.ts';
import { readObject } from '../../src/ingress/read-object.ts';
import { service, slice, type SliceEndpoint } from '../support/objects.ts';

/** Addresses that `web:80` leads to. */
function addresses(endpoints: readonly SliceEndpoint[], zone: string | null = null): string[] {
  const objects = [service(), slice('web-1', 'web', 8080, endpoints, 'v1')].map((manifest) => {
    const read = readObject(manifest, { at: () => 'test' });
    if ('object' in read) return read.object;
    throw new Error(JSON.stringify(read));
  });
  const backend = { service: 'web', port: 80 };
  const { endpoints: found } = resolveBackend(
    'default',
    backend,
    collectObjects(objects),
    { resolve: new Map(), zone },
    false,
  );
  return found.map((endpoint) => endpoint.replace(/^192\.0\.2\.(\d+):8080$/, '$1'));
}

const at = (last: number, ...zones: string[]): SliceEndpoint => ({
  address: `192.0.2.${last}`,
  ...(zones.length > 0 ? { zones } : {}),
});
const ending = (last: number, serving = true): SliceEndpoint => ({
  address: `192.0.2.${last}`,
  conditions: { ready: false, serving, terminating: true },
});

void t.test('endpoints that end get no requests, unless there are no others', async (t) => {
  t.same(addresses([at(1), ending(2)]), ['1']);
  t.same(addresses([ending(1), ending(2), ending(3, false)]), ['1', '2']);
  t.same(addresses([{ address: '192.0.2.1', conditions: { ready: false } }]), []);
  t.same(addresses([{ address: '192.0.2.1', conditions: {} }]), ['1'], 'not said is ready');
});

void t.test('endpoints meant for our zone go first, once every one says for which it is', async (t) => {
  t.same(addresses([at(1, 'a'), at(2, 'b'), at(3, 'a', 'b')], 'a'), ['1', '3']);
  t.same(addresses([at(1, 'a'), at(2, 'b')]), ['1', '2'], 'our zone is not known');
  t.same(addresses([at(1, 'a'), at(2)], 'a'), ['1', '2'], 'a hint is missing');
  t.same(addresses([at(1, 'b'), at(2, 'c')], 'a'), ['1', '2'], 'none is for us');
  t.same(addresses([at(1, 'b'), ending(2), at(3, 'a')], 'a'), ['3'], 'one that ends needs no hint');
});
