import { expect, test } from 'vitest';
import { butterfly, curve, size, type Wing } from './butterfly';

const wing = (i: number, verb: string, out: boolean): Wing => ({ id: `tool--${i}`, type: 'tool', name: `T${i}`, verb, out });

test('what points to the object stands before it, what it points to after it', () => {
  const d = butterfly([wing(1, 'uses', true), wing(2, 'targets', false)]);
  expect(d.nodes.find((n) => n.out)?.x).toBeGreaterThan(d.center.x);
  expect(d.nodes.find((n) => !n.out)?.x).toBeLessThan(d.center.x);
});

test('nothing lies upon another, and all of it inside', () => {
  const d = butterfly(Array.from({ length: 200 }, (_, i) => wing(i, 'v' + (i % 7), i % 3 === 0)));
  for (const out of [true, false]) {
    const ys = d.nodes.filter((n) => n.out === out).map((n) => n.y);
    for (const [i, y] of ys.entries()) if (i) expect(y - (ys[i - 1] ?? 0)).toBeGreaterThanOrEqual(size.row);
    expect(Math.min(...ys)).toBeGreaterThan(0);
    expect(Math.max(...ys)).toBeLessThan(d.height);
  }
});

test('a group is drawn up to its bound, and says how many are not', () => {
  const d = butterfly(Array.from({ length: 25 }, (_, i) => wing(i, 'uses', true)));
  expect(d.nodes).toHaveLength(size.most);
  expect(d.verbs).toEqual([expect.objectContaining({ verb: 'uses', count: 25, hidden: 25 - size.most })]);
});

test('nothing connected is a drawing, too', () => {
  expect(butterfly([]).nodes).toEqual([]);
});

test('a curve', () => {
  expect(curve(0, 0, 10, 4)).toBe('M0 0C5 0 5 4 10 4');
});
