const DAY = 86_400_000;

/**
 * Timestamps: only a `Date` says which instant it means. Text is read in the zone of the session, or stripped of its
 * zone, depending on the column's type, so it gets no canonical text.
 *
 * Columns without a zone hold local wall-clock time. Near a change of the clocks two instants share one wall-clock
 * time, so dates there get none either. Processes that share a cache must run in one time zone, as TypeORM needs anyway.
 */
export function canonicalInstant(value: unknown): string | undefined {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return undefined;
  const offsetAt = (time: number) => new Date(time).getTimezoneOffset();
  const time = value.getTime();
  return offsetAt(time - DAY) === offsetAt(time + DAY) ? value.toISOString() : undefined;
}

/** Dates: `YYYY-MM-DD`, or the `Date` at local midnight that drivers make of it. */
export function canonicalDate(value: unknown): string | undefined {
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\d$/.test(value) ? value : undefined;
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return undefined;
  const isMidnight =
    value.getHours() + value.getMinutes() + value.getSeconds() + value.getMilliseconds() === 0;
  if (!isMidnight || value.getFullYear() < 1000 || value.getFullYear() > 9999) return undefined;
  return [value.getFullYear(), value.getMonth() + 1, value.getDate()]
    .map((n) => String(n).padStart(2, '0'))
    .join('-');
}

/** Times of day: `HH:MM`, `HH:MM:SS`, with a fraction; without a zone. */
export function canonicalTime(value: unknown): string | undefined {
  const match =
    typeof value === 'string'
      ? /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?$/.exec(value)
      : null;
  if (!match) return undefined;
  const [, hours, minutes, seconds = '00', fraction = ''] = match;
  const significant = fraction.replace(/0+$/, '');
  return `${hours}:${minutes}:${seconds}${significant && `.${significant}`}`;
}
