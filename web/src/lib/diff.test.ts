import { expect, test } from 'vitest';
import { diff } from './diff';

test.each([
  ['nothing', { a: 1, l: [1, { b: 2 }] }, { l: [1, { b: 2 }], a: 1 }, []],
  ['a member', { name: 'x' }, { name: 'y' }, [{ path: 'name', before: 'x', after: 'y' }]],
  ['what came and went', { a: 1 }, { b: null }, [{ path: 'a', before: '1' }, { path: 'b', after: 'null' }]],
  ['sets', { labels: ['a', 'b'] }, { labels: ['b', 'c'] }, [{ path: 'labels', before: 'a' }, { path: 'labels', after: 'c' }]],
  ['an order', { l: ['a', 'b'] }, { l: ['b', 'a'] }, [{ path: 'l', before: '[\n  "a",\n  "b"\n]', after: '[\n  "b",\n  "a"\n]' }]],
  ['deep', { r: [{ u: 1 }] }, { r: [{ u: 2 }, { v: 3 }] }, [{ path: 'r[0].u', before: '1', after: '2' }, { path: 'r[1]', after: '{\n  "v": 3\n}' }]],
  ['a kind', { a: { b: 1 } }, { a: 'b' }, [{ path: 'a', before: '{\n  "b": 1\n}', after: 'b' }]],
])('%s', (_, before, after, want) => {
  expect(diff(before, after)).toEqual(want);
});
