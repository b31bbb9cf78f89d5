import type { Answer, Given } from './accord';

/** What is out there now: every put of an object that no later order of its log took back, the newest first. */
export function live(all: readonly Given[]): Given[] {
  const ended = new Set(all.filter((g) => (g.kind === 'retract' || g.kind === 'purge') && g.about !== undefined).map((g) => g.log + ' ' + g.about));
  return all.filter((g) => g.kind === 'put' && !ended.has(g.log + ' ' + g.index)).toReversed();
}

/** What a holder said last of it. */
export function latest(g: Given): Answer | undefined {
  return (g.acts ?? []).toSorted((a, b) => a.at.localeCompare(b.at)).at(-1);
}
