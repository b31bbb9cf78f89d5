import { expect, test } from 'vitest';
import { choiceOf, isPrincipal, labelOf, nothing, words } from './choice';

test('a choice is written as the interface takes it', () => {
  expect(words({ tlp: 'TLP:AMBER+STRICT', pap: 'PAP:GREEN', aud: ['org:UTO/Utopia CERT'] })).toBe('tlp:amber+strict,pap:green,org:UTO/Utopia CERT');
  expect(words(nothing)).toBe('');
});

test('a whole label states every dimension, and only what is chosen restricts', () => {
  const l = labelOf({ tlp: 'TLP:GREEN', pap: '', aud: ['org:XER/b', 'org:UTO/ä', 'org:UTO/z', 'org:XER/b'] });
  expect(l).toMatchObject({ tlp: 'TLP:GREEN', pap: 'PAP:CLEAR', mode: 'any', named: false, aud: ['org:UTO/z', 'org:UTO/ä', 'org:XER/b'] });
  expect(Object.keys(l)).toHaveLength(14);
  expect(labelOf(nothing).named).toBe(true);
  expect(choiceOf(l)).toEqual({ tlp: 'TLP:GREEN', pap: '', aud: ['org:UTO/z', 'org:UTO/ä', 'org:XER/b'] });
});

test.each([
  ['org:UTO/Utopia CERT', true],
  ['nation:UTO', true],
  ['community:grid', true],
  ['person:UTO/Utopia CERT/ada', true],
  ['UTO', false],
  ['org:UTO', false],
  ['org:UTO/a,b', false],
])('%s is a principal: %s', (text, is) => expect(isPrincipal(text)).toBe(is));
