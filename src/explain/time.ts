/** A moment in ISO 8601, a date at least and UTC unless it says otherwise; milliseconds since 1970, or null. */
export function parseTime(text: string): number | null {
  const match =
    /^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$/.exec(
      text,
    );
  if (match === null) return null;
  // JavaScript takes a time without a zone for the machine's own.
  const time = Date.parse(match[1] === undefined || match[4] !== undefined ? text : `${text}Z`);
  return Number.isNaN(time) ? null : time;
}
