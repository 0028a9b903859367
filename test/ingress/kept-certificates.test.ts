import t from 'tap';
import type { KubernetesObject } from '../../src/ingress/object.ts';
import { readObject } from '../../src/ingress/read-object.ts';
import { translate, TranslationMemory } from '../../src/ingress/translate.ts';
import { configMap, ingress, secret, service, slice } from '../support/objects.ts';
import { makePem, options } from './fixture.ts';

const pem = await makePem();

const read = (manifest: object): KubernetesObject => {
  const result = readObject(manifest, { at: () => 'test' });
  if ('object' in result) return result.object;
  throw new Error(JSON.stringify(result));
};
const whole = { 'tls.crt': pem.values['CERT']!, 'tls.key': pem.values['KEY']!, 'ca.crt': pem.values['CA']! };
const host = ingress({ host: 'a.test', tls: 'cert', annotations: { 'auth-tls-secret': 'default/cert' } });
const others = [host, service(), slice('web-1', 'web', 80, ['192.0.2.1'])].map(read);
const kept = options(pem, { keepsCertificates: true });

/** Translations one after the other with one memory; gives the certificate and how it is verified of the last. */
function last(given = kept, ...secrets: readonly (readonly object[])[]) {
  const memory = new TranslationMemory();
  let translation = translate(others, given, memory);
  for (const some of secrets) translation = translate([...others, ...some.map(read)], given, memory);
  const { certificate, routes } = translation.config.hosts[0]!;
  return {
    cert: (certificate as { cert: string }).cert,
    status: routes[0]?.respond?.status,
    said: translation.problems.map(({ message }) => message).join('\n'),
    material: translation.material,
  };
}

const cert = 'secret/default/cert/tls.crt';

void t.test('a Secret that is deleted leaves its certificate, and takes its CA away', async (t) => {
  const { cert: name, status, said, material } = last(kept, [secret('cert', whole)], [], []);
  t.equal(name, cert);
  t.equal(material.get(cert), pem.values['CERT']);
  t.match(said, /default\/cert is not there: `a.test` keeps the certificate that it had, valid until /);
  t.equal(status, 403, 'a CA that is gone lets nobody in');
});

void t.test('a Secret that is broken leaves the certificate that it had', async (t) => {
  for (const broken of [
    { ...whole, 'tls.key': 'rubbish' },
    { ...whole, 'tls.key': pem.values['OTHER_KEY']! },
    {},
  ]) {
    const { cert: name, said, material } = last(kept, [secret('cert', whole)], [secret('cert', broken)]);
    t.equal(name, cert);
    t.equal(material.get('secret/default/cert/tls.key'), pem.values['KEY']);
    t.match(said, /keeps the certificate that it had/);
  }
});

void t.test('a certificate stays through a change of the ConfigMap', async (t) => {
  const map = (value: string) =>
    configMap('ingress-nginx-controller', { 'proxy-body-size': value }, 'ingress-nginx');
  const first = [secret('cert', whole), map('1m')];
  t.equal(last(kept, first, [map('1m')], [map('2m')]).cert, cert);
});

void t.test(
  'nothing is kept that was not served, of another Secret, or without being asked to',
  async (t) => {
    t.equal(last(kept, []).cert, 'default/tls.crt');
    t.equal(last(kept, [secret('cert', { ...whole, 'tls.key': 'rubbish' })], []).cert, 'default/tls.crt');
    t.equal(last(options(pem), [secret('cert', whole)], []).cert, 'default/tls.crt');
    const memory = new TranslationMemory();
    translate([...others, read(secret('cert', whole))], kept, memory);
    const moved = [read(ingress({ host: 'a.test', tls: 'other' })), ...others.slice(1)];
    const [next] = translate(moved, kept, memory).config.hosts;
    t.match(next, { certificate: { cert: 'default/tls.crt' } });
  },
);

void t.test('the default certificate stays, too', async (t) => {
  const given = { ...kept, defaultCertificateSecret: 'default/rest' };
  const plain = [read(ingress({ host: 'b.test' })), ...others.slice(1)];
  const memory = new TranslationMemory();
  const pair = { 'tls.crt': pem.values['OTHER_CERT']!, 'tls.key': pem.values['OTHER_KEY']! };
  const before = translate([...plain, read(secret('rest', pair))], given, memory);
  t.equal(before.defaultFault, null);
  const after = translate(plain, given, memory);
  t.equal(after.material.get('default/tls.crt'), pem.values['OTHER_CERT']);
  t.match(after.defaultFault, /is not there: .* keep it, valid until /);
  t.equal(translate(plain, given).material.get('default/tls.crt'), pem.values['CERT']);
});

void t.test('a Secret that comes back counts at once', async (t) => {
  const { cert: name, said } = last(kept, [secret('cert', whole)], [], [secret('cert', whole)]);
  t.equal(name, cert);
  t.notMatch(said, /keeps/);
});

void t.test('what is asked for by name is told, whether it is there or not', async (t) => {
  const { references } = translate(others, kept);
  t.same([...references.secrets], ['default/cert']);
  t.same([...references.configMaps], ['ingress-nginx/ingress-nginx-controller']);
});
