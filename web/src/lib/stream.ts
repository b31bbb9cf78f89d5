/** How long to wait before the next attempt, in milliseconds: longer each time, up to half a minute, and never for all at the same moment. */
export function pause(attempt: number, chance: number): number {
  const most = Math.min(30_000, 1000 * 2 ** Math.min(attempt, 5));
  return Math.round(most / 2 + (most / 2) * chance);
}

/** What a stream is opened with: from now on, or after the last event that came. */
export function streamURL(after: string): string {
  return '/api/v1/stream' + (after ? '?after=' + encodeURIComponent(after) : '');
}

/** Puts something in front of a list in which it stands once, and lets go of what is beyond the bound. */
export function newest<T>(list: readonly T[], item: T, key: (x: T) => string, most: number): T[] {
  const id = key(item);
  return [item, ...list.filter((x) => key(x) !== id)].slice(0, most);
}
