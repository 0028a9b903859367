import { listOf, quote } from '../../config/text.ts';
import { parseCidr } from '../../tls/cidr.ts';
import { isSubdomain } from '../read-meta.ts';
import type { Parsed, ValueType } from './annotation.ts';

const wants = (what: string): { readonly problem: string } => ({ problem: `is not ${what}` });

/** Go's strconv.ParseBool. */
export const flag: ValueType<boolean> = {
  name: 'true | false',
  parse(text) {
    if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return { value: true };
    if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return { value: false };
    return wants('true or false');
  },
};

export const onOff: ValueType<boolean> = {
  name: 'on | off',
  parse(text) {
    return text === 'on' || text === 'off' ? { value: text === 'on' } : wants('on or off');
  },
};

/** A whole number, 0 to 2^31-1. */
export const whole: ValueType<number> = {
  name: 'number',
  parse(text) {
    return /^[0-9]{1,10}$/.test(text) && Number(text) < 2 ** 31 ? { value: Number(text) } : wants('a number');
  },
};

/** A whole number that may be negative, as seconds of cookies may. */
export const integer: ValueType<number> = {
  name: 'number',
  parse(text) {
    return /^-?[0-9]{1,10}$/.test(text) && Math.abs(Number(text)) < 2 ** 31
      ? { value: Number(text) }
      : wants('a number');
  },
};

/** Seconds, as the timeouts are: `60`, and in newer manifests `60s`. */
export const seconds: ValueType<number> = {
  name: 'seconds',
  parse(text) {
    const digits = /^([0-9]{1,7})s?$/.exec(text)?.[1];
    return digits === undefined ? wants('a number of seconds') : { value: Number(digits) };
  },
};

/** nginx's size: `8k`, `1m`, `1G`, `0` for no limit. In lower case. */
export const size: ValueType<string> = {
  name: 'size',
  parse(text) {
    const lower = text.toLowerCase();
    // 2^53 bytes and more cannot be counted.
    return /^[0-9]{1,12}k?$/.test(lower) || /^[0-9]{1,9}m$/.test(lower) || /^[0-9]{1,6}g$/.test(lower)
      ? { value: lower }
      : wants('a size such as 8k or 1m');
  },
};

export function oneOf<const Word extends string>(...words: readonly Word[]): ValueType<Word> {
  return {
    name: words.join(' | '),
    parse(text) {
      const found = words.find((word) => word === text);
      return found === undefined ? wants(listOf(words)) : { value: found };
    },
  };
}

/** Any text on one line. What it means is for its family to say. */
export const text: ValueType<string> = {
  name: 'text',
  parse(text) {
    return /^[^\r\n\0]{1,4096}$/.test(text) ? { value: text } : wants('a text on one line');
  },
};

/** A piece of nginx's own configuration: kept to be shown, never read. */
export const snippet: ValueType<string> = { name: 'nginx configuration', parse: (text) => ({ value: text }) };

/** A list with commas; blanks around the items and empty ones do not count. */
export function listType<Value>(
  item: ValueType<Value>,
  what: string,
  most = Infinity,
): ValueType<readonly Value[]> {
  return {
    name: what,
    parse(text): Parsed<readonly Value[]> {
      const values: Value[] = [];
      for (const part of text.split(',').map((part) => part.trim())) {
        if (part === '') continue;
        const parsed = item.parse(part);
        if ('problem' in parsed) return { problem: `holds ${quote(part)}, which ${parsed.problem}` };
        values.push(parsed.value);
        if (values.length > most) return { problem: `holds more than ${most}` };
      }
      return values.length === 0 ? wants('a list with anything in it') : { value: Object.freeze(values) };
    },
  };
}

export const texts: ValueType<readonly string[]> = listType(text, 'list');

/** Addresses and ranges of them. */
export const ranges: ValueType<readonly string[]> = listType(
  {
    name: 'CIDR',
    parse(text) {
      return parseCidr(text) === null ? { problem: 'is no address and no range of them' } : { value: text };
    },
  },
  'CIDRs',
);

export const host: ValueType<string> = {
  name: 'host',
  parse(text) {
    return isSubdomain(text.toLowerCase().replace(/^\*\./, ''))
      ? { value: text.toLowerCase() }
      : wants('a host name');
  },
};

export interface ObjectName {
  /** Null where only a name was written: the Ingress's own. */
  readonly namespace: string | null;
  readonly name: string;
}

/** `namespace/name`, or a name alone. */
export const objectName: ValueType<ObjectName> = {
  name: 'namespace/name',
  parse(text) {
    const parts = text.split('/');
    if (parts.length > 2 || !parts.every(isSubdomain)) return wants('the name of an object, namespace/name');
    return {
      value: parts.length === 2 ? { namespace: parts[0]!, name: parts[1]! } : { namespace: null, name: text },
    };
  },
};

/** `namespace/name` and nothing else. */
export const qualifiedName: ValueType<ObjectName> = {
  name: 'namespace/name',
  parse(text) {
    const parsed = objectName.parse(text);
    if ('value' in parsed && parsed.value.namespace !== null) return parsed;
    return wants('a name with its namespace, namespace/name');
  },
};
