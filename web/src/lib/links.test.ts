import { describe, expect, test } from 'vitest';
import type { Link } from './accord';
import { alarms, around, lagSince, linkState } from './links';

const link = (more: Partial<Link> = {}): Link => ({ nation: 'XER', org: 'Erewhon CERT', up: true, address: 'x:1', since: '2026-03-02T08:00:00Z', owed: 0, got: 0, ...more });

test.each([
  ['up', {}],
  ['down', { up: false }],
  ['untried', { up: false, since: undefined }],
  ['calls', { up: false, address: undefined }],
  ['behind', { behind: '2026-03-02T08:00:00Z' }],
  ['behind', { stale: '2026-03-02T08:00:00Z' }],
  ['down', { up: false, behind: '2026-03-02T08:00:00Z' }],
  ['accused', { fork: true }],
  ['accused', { up: false, proof: 'p1' }],
] as const)('a link is %s', (want, more) => {
  expect(linkState(link(more))).toBe(want);
});

test('lag counts from the first of its reasons, and a link that is well has none', () => {
  expect(lagSince(link())).toBeUndefined();
  expect(lagSince(link({ behind: '2026-03-02T09:00:00Z', stale: '2026-03-02T08:30:00.5Z' }))).toBe('2026-03-02T08:30:00.5Z');
  expect(lagSince(link({ up: false }))).toBe('2026-03-02T08:00:00Z');
});

test('alarms: what was proved comes first, a forked key log is not said twice, and a partner that calls us is no alarm', () => {
  const all = alarms([link({ nation: 'BRA', up: false }), link({ nation: 'UTO', up: false, address: undefined }), link({ nation: 'RUR', fork: true, proof: 'p1', behind: '2026-03-02T09:00:00Z' }), link({ nation: 'FRE', fork: true }), link()]);
  expect(all.map((a) => `${a.nation} ${a.kind}`)).toEqual(['RUR proof', 'FRE fork', 'RUR behind', 'BRA down']);
  expect(all[0]?.proof).toBe('p1');
});

describe.each([1, 2, 5, 14, 15, 31, 63])('%i partners around the own node', (n) => {
  const places = around(n, 600, 420);
  test('each has a place of its own in the picture', () => {
    expect(places).toHaveLength(n);
    for (const p of places) {
      expect(p.x).toBeGreaterThanOrEqual(50);
      expect(p.x).toBeLessThanOrEqual(550);
      expect(p.y).toBeGreaterThanOrEqual(50);
      expect(p.y).toBeLessThanOrEqual(370);
    }
    expect(new Set(places.map((p) => `${p.x},${p.y}`)).size).toBe(n);
  });
  test('none stands on the own node', () => {
    for (const p of places) expect(Math.hypot(p.x - 300, p.y - 210)).toBeGreaterThan(30);
  });
});
