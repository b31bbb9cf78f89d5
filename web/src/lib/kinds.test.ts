import { expect, test } from 'vitest';
import { en } from '$/i18n/en';
import { family, sigil, spelled, types } from './kinds';

test('every type of the standard has a sign of its own and a name', () => {
  const signs = types.map(sigil);
  expect(new Set(signs).size).toBe(signs.length);
  for (const type of types) expect(en, type).toHaveProperty([`type.${type}`]);
});

test.each([
  ['x-acme-data-source', 'DS', 'acme data source'],
  ['x-thing', 'TH', 'thing'],
  ['x-acme-thing', 'TH', 'acme thing'],
  ['', '?', ''],
])('%s is spelled out', (type, sign, words) => {
  expect(sigil(type)).toBe(sign);
  expect(spelled(type)).toBe(words);
  expect(family(type)).toBe('other');
});
