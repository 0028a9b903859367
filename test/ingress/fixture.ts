import type { Config } from '../../src/config/schema.ts';
import type { KubernetesObject } from '../../src/ingress/object.ts';
import type { Manifests } from '../../src/ingress/manifests.ts';
import type { TranslateOptions } from '../../src/ingress/options.ts';
import { parseManifest } from '../../src/ingress/parse-manifest.ts';
import { splitDocuments } from '../../src/ingress/documents.ts';
import { createAuthority, type TestAuthority } from '../support/pki.ts';

/** PEM that fixtures name as `${name}`; made anew for each run, so that no key is ever committed. */
export interface TestPem {
  readonly root: TestAuthority;
  readonly values: Readonly<Record<string, string>>;
}

export async function makePem(): Promise<TestPem> {
  const root = await createAuthority({ cn: 'Root A' });
  const other = await createAuthority({ cn: 'Root B' });
  const server = await root.issue({
    cn: 'a.test',
    hosts: ['a.test', 'b.test', '*.w.test', 'in.logpoint.com.np'],
    usage: 'server',
  });
  const stranger = await root.issue({ cn: 'c.test', hosts: ['c.test'], usage: 'server' });
  return {
    root,
    values: {
      CA: root.cert,
      OTHER_CA: other.cert,
      CRL: root.crl(),
      CERT: server.bundle,
      KEY: server.key,
      OTHER_CERT: stranger.bundle,
      OTHER_KEY: stranger.key,
    },
  };
}

/** Objects of manifests as text; `${CA}` and the like become base64 under `data:`, as they stand in a Secret. */
export function objectsOf(file: string, text: string, pem: TestPem): KubernetesObject[] {
  return [...manifestsOf(file, text, pem).objects];
}

/** The same, with what is no object and what is of no kind that is asked for. */
export function manifestsOf(
  file: string,
  text: string,
  pem: TestPem,
): Pick<Manifests, 'objects' | 'faults' | 'passedOver'> {
  const filled = text.replaceAll(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
    const value = pem.values[name];
    if (value === undefined) throw new Error(`there is no PEM ${name}`);
    return Buffer.from(value).toString('base64');
  });
  const documents = splitDocuments(filled).map((document) => {
    const parsed = parseManifest(file, document);
    if ('syntax' in parsed) throw new Error(JSON.stringify(parsed.syntax));
    return parsed;
  });
  return {
    objects: documents.flatMap(({ objects }) => objects),
    faults: documents.flatMap(({ faults }) => faults),
    passedOver: new Map(documents.flatMap((document) => document.passedOver).map((kind) => [kind, 1])),
  };
}

export const listeners: Config['listeners'] = { https: { port: 443 }, http: { port: 80 } };

export function options(pem: TestPem, changes: Partial<TranslateOptions> = {}): TranslateOptions {
  return {
    ingressClass: 'nginx',
    controllerClass: 'k8s.io/ingress-nginx',
    watchWithoutClass: true,
    requiresClass: false,
    zone: null,
    keepsCertificates: false,
    allowCrossNamespaceSecrets: false,
    configMap: 'ingress-nginx/ingress-nginx-controller',
    requiresConfigMap: false,
    resolve: new Map(),
    defaultBackendService: null,
    defaultCertificateSecret: null,
    defaultCertificate: { cert: pem.values['CERT']!, key: pem.values['KEY']! },
    base: { listeners },
    ...changes,
  };
}
