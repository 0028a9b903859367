import { families } from '../annotations/registry.ts';
import { noAuthLocations } from './access.ts';
import { answers } from './answers.ts';
import { clients } from './clients.ts';
import { headerSettings } from './headers.ts';
import { limits } from './limits.ts';
import { type Setting, settingOf } from './setting.ts';
import { tls } from './tls.ts';
import { unused } from './unused.ts';

/** A group of keys, as the documentation has them. */
export interface SettingGroup {
  readonly title: string;
  readonly settings: readonly Setting[];
}

/** Every key of the ConfigMap. */
export const settingGroups: readonly SettingGroup[] = Object.freeze([
  { title: 'Clients', settings: [...clients, noAuthLocations] },
  { title: 'TLS', settings: tls },
  { title: 'Limits', settings: limits },
  { title: 'Answers', settings: [...answers, ...headerSettings] },
  {
    title: 'What holds without an annotation',
    settings: families.flatMap(({ annotations }) =>
      annotations.filter(({ global }) => global !== null).map(settingOf),
    ),
  },
  { title: 'Others', settings: unused },
]);

export const settingsByKey: ReadonlyMap<string, Setting> = new Map(
  settingGroups.flatMap(({ settings }) => settings.map((setting) => [setting.name, setting] as const)),
);
