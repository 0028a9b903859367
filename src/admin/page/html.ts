import { printable } from '../../config/text.ts';

/** Text that is HTML already. Made by `html` alone, so that whatever else comes into a page is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template. Nothing comes of null, undefined and false. */
export type Content = Html | string | number | bigint | null | undefined | false | readonly Content[];

/**
 * HTML out of a template. Every value is escaped for text and for quoted attributes, and control and format characters
 * are written out, so that a certificate's subject can neither be markup nor turn the direction of what stands around it.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  let text = strings[0]!;
  for (const [index, value] of values.entries()) text += render(value) + strings[index + 1]!;
  return new Html(text);
}

function render(value: Content): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(render).join('');
  return escape(String(value));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

function escape(text: string): string {
  return printable(text).replaceAll(/[&<>"'`]/g, (character) => entities[character]!);
}
