import { expect, test } from 'vitest';
import { lastWord } from './suggest';

test.each([
  ['low', '', 'low'],
  ['low ti', 'low ', 'ti'],
  ['-loader', '-', 'loader'],
  ['harbour -lo', 'harbour -', 'lo'],
  ['CVE-2026-00', '', 'CVE-2026-00'],
  ['Ödland', '', 'Ödland'],
])('the word at the end of %j goes on', (q, before, word) => expect(lastWord(q)).toEqual({ before, word }));

test.each(['', 'l', 'low t', 'low ', 'type:mal', 'value:198.51', '"low ti', 'low*', 'name:"x'])('nothing goes on in %j', (q) => expect(lastWord(q)).toBeUndefined());
