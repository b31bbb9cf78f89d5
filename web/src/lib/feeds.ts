import type { Feed } from '$/api';

export type Run = Feed['runs'][number];

/** The address of a feed's page. */
export function feedPath(name: string): string {
  return '/app/feeds/' + encodeURIComponent(name);
}

/** How a feed's state is shown. */
export function tone(f: Pick<Feed, 'health' | 'disabled'>): 'good' | 'bad' | 'accent' | 'plain' {
  if (f.disabled) return 'plain';
  return ({ ok: 'good', failing: 'bad', running: 'accent' } as const)[f.health] ?? 'plain';
}

/** What a run brought: what is new, and what stood in the way. */
export function brought(r: Run): { good: number; bad: number } {
  const c = r.counts;
  return { good: c.added + (c.pushed ?? 0), bad: (c.dropped ?? 0) + (c.refused ?? 0) + (c.held ?? 0) + (c.different ?? 0) };
}

/** The heights of bars, 0 to 1, by the square root, so that small runs are seen beside large ones. The oldest comes first. */
export function bars(runs: readonly Run[]): { run: Run; good: number; bad: number }[] {
  const list = [...runs].reverse();
  const most = Math.max(1, ...list.map((r) => brought(r).good + brought(r).bad));
  return list.map((run) => {
    const { good, bad } = brought(run);
    const whole = Math.sqrt((good + bad) / most);
    return { run, good: good + bad ? (whole * good) / (good + bad) : 0, bad: good + bad ? (whole * bad) / (good + bad) : 0 };
  });
}
