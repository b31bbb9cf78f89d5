import { expect, test } from 'vitest';
import { bars, tone, type Run } from './feeds';

const run = (added: number, refused = 0): Run => ({ trigger: 'schedule', started: '', ended: '', result: 'done', counts: { read: added, added, present: 0, refused } });

test('bars stand in the order of time and fill the height with the largest run', () => {
  const b = bars([run(100), run(0), run(20, 5)]);
  expect(b.map((x) => [x.good, x.bad])).toEqual([[0.4, 0.1], [0, 0], [1, 0]]);
});

test('a feed without runs, and runs that brought nothing, have no bars', () => {
  expect(bars([])).toEqual([]);
  expect(bars([run(0)])).toMatchObject([{ good: 0, bad: 0 }]);
});

test('a feed that is off is neither good nor bad', () => {
  expect(tone({ health: 'failing', disabled: true })).toBe('plain');
  expect(tone({ health: 'failing' })).toBe('bad');
});
