/** `1,234`, and from a million on `1.23 M`. */
export function count(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return Math.round(value).toLocaleString('en-US');
}

/** A rate: two digits that mean something where it is small. */
export function rate(value: number): string {
  if (value === 0) return '0';
  return value < 10 ? value.toFixed(1) : count(value);
}

/** Milliseconds with their unit; `–` for null. */
export function latency(ms: number | null): string {
  if (ms === null) return '–';
  if (ms >= 9_950) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 995) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 9.95 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(0)} ms`;
}

/** `3 d 4 h`, `5 min`, `12 s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [seconds / 86_400, (seconds / 3600) % 24, (seconds / 60) % 60].map(
    Math.floor,
  );
  if (days! > 0) return `${days} d ${hours} h`;
  if (hours! > 0) return `${hours} h ${minutes} min`;
  return minutes! > 0 ? `${minutes} min` : `${seconds} s`;
}

/** `2026-11-24 03:07:12 UTC`; a certificate can carry dates that a Date cannot. */
export function utc(time: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return 'never';
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `03:07:12` of the same day, with the date of another one. */
export function clock(time: number, now: number): string {
  const text = utc(time);
  return text.slice(0, 10) === utc(now).slice(0, 10) ? text.slice(11, 19) : text.slice(0, 16);
}

/** Whole days from now, rounded down: 0 is less than a day, below is the past. */
export function daysLeft(time: number, now: number): number {
  return Math.floor((time - now) / 86_400_000);
}
