import { expect, test } from 'vitest';
import { countWords, gapOf, sealsTo } from './bundles';

test.each([
  ['bundle 7 of UTO/ut.cert is missing', { what: 'bundle', name: 'UTO/ut.cert', from: '7', to: '7' }],
  ['bundle 2 of SYL/Sylvania CERT is missing', { what: 'bundle', name: 'SYL/Sylvania CERT', from: '2', to: '2' }],
  ['bundle 3 to 5 of UTO/ut.cert is missing', { what: 'bundle', name: 'UTO/ut.cert', from: '3', to: '5' }],
  ['statement 4 to 6 of the key log of RUR is missing', { what: 'keylog', name: 'RUR', from: '4', to: '6' }],
  ['leaf 120 to 339 of log fed/v1/abc is missing', { what: 'log', name: 'fed/v1/abc', from: '120', to: '339' }],
  ['the moon is missing', undefined],
] as const)('a gap: %s', (said, want) => {
  expect(gapOf(said)).toEqual(want);
});

test('a key is sealed to from its first moment to before its last', () => {
  const k = { nation: 'RUR', org: 'x', epoch: 1, id: 'a', not_before: '2026-03-01T00:00:00Z', not_after: '2026-03-31T00:00:00Z', added: '', by: '' };
  expect(sealsTo(k, Date.parse('2026-03-01T00:00:00Z'))).toBe(true);
  expect(sealsTo(k, Date.parse('2026-02-28T23:59:59Z'))).toBe(false);
  expect(sealsTo(k, Date.parse('2026-03-31T00:00:00Z'))).toBe(false);
});

test('words are counted however they are written down', () => {
  expect(countWords('')).toBe(0);
  expect(countWords(' 1. abandon ability\n2. ABLE, about ')).toBe(4);
});
