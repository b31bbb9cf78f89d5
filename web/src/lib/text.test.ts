import { expect, test } from 'vitest';
import { de } from '$/i18n/de';
import { en } from '$/i18n/en';
import { fill, plural } from './text';

test('a text is filled, and what is missing shows', () => {
  expect(fill('{a} of {b}', { a: 1 })).toBe('1 of {b}');
});

test('one and many have their forms', () => {
  const rules = new Intl.PluralRules('en');
  expect(plural('{n} object|{n} objects', 1, rules)).toBe('{n} object');
  expect(plural('{n} object|{n} objects', 0, rules)).toBe('{n} objects');
  expect(plural('none', 7, rules)).toBe('none');
});

test('every language has every text, with the same places to fill and the same number of forms', () => {
  const holes = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
  expect(Object.keys(de)).toEqual(Object.keys(en));
  for (const [key, text] of Object.entries(en)) {
    const other = de[key as keyof typeof en];
    expect(other, key).not.toBe('');
    expect(holes(other), key).toEqual(holes(text));
    expect(other.split('|').length, key).toBe(text.split('|').length);
  }
});
