import type { Api } from '../../../src/ingress/kubernetes/dry-api.ts';
import type { Translation } from '../../../src/ingress/translate.ts';

/** What becomes of no objects at all. */
export const emptyTranslation: Translation = {
  config: { listeners: { https: { port: 0 } }, hosts: [], upstreams: {} },
  material: new Map(),
  problems: [],
  defaultFault: null,
  ingresses: [],
  references: { secrets: new Set(), configMaps: new Set() },
};

/** An API that notes what is asked of it, and has nothing. */
export function notingApi(): { readonly api: Api; readonly asked: string[] } {
  const asked: string[] = [];
  const note =
    (verb: string) =>
    async (path: string): Promise<unknown> => {
      asked.push(`${verb} ${path}`);
      return {};
    };
  const api: Api = {
    get: note('get'),
    list: async (path) => {
      asked.push(`list ${path}`);
      return { items: [], resourceVersion: '1' };
    },
    watch: async (path) => void asked.push(`watch ${path}`),
    create: note('create'),
    replace: note('replace'),
    patch: note('patch'),
    delete: async (path) => void asked.push(`delete ${path}`),
  };
  return { api, asked };
}
