export interface Span {
  n: number;
  unit: 'second' | 'minute' | 'hour' | 'day';
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** How long ago, in the largest unit that fits; undefined beyond a week, where a date says more. ms is negative for what is to come. */
export function span(ms: number): Span | undefined {
  const far = Math.abs(ms);
  if (far < minute) return { n: -Math.round(ms / 1000) || 0, unit: 'second' };
  if (far < hour) return { n: -Math.round(ms / minute), unit: 'minute' };
  if (far < day) return { n: -Math.round(ms / hour), unit: 'hour' };
  if (far < 7 * day) return { n: -Math.round(ms / day), unit: 'day' };
  return undefined;
}
