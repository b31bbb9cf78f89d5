import { expect, test } from 'vitest';
import type { Given } from './accord';
import { latest, live } from './given';

const at = '2026-01-01T00:00:00Z';
const given = (log: string, index: number, kind: string, about?: number): Given => ({ accord: 'a', parties: [], log, index, kind, at, about });

test('what was taken back in its log is held no more; other logs have their own places', () => {
  const all = [given('x', 1, 'put'), given('y', 1, 'put'), given('x', 2, 'put'), given('x', 3, 'retract', 1), given('y', 2, 'relabel', 1)];
  expect(live(all).map((g) => g.log + g.index)).toEqual(['x2', 'y1']);
});

test('the last answer of a holder counts', () => {
  const act = (did: string, at: string) => ({ party: 'XER/E', did, at, receipt: '' });
  expect(latest({ ...given('x', 1, 'put'), acts: [act('relabelled', '2026-01-02T00:00:00Z'), act('stored', '2026-01-01T00:00:00Z')] })?.did).toBe('relabelled');
  expect(latest(given('x', 1, 'put'))).toBeUndefined();
});
