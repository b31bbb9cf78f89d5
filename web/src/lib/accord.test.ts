import { describe, expect, test } from 'vitest';
import { amended, byClause, byName, compared, nationsOf, nearly, offsetOf, partyName, rows, sayable, signCommand, signers, suggested, textOf } from './accord';

test('accords stand by name, their highest version first', () => {
  const a = (name: string, version: number) => ({ name, version });
  expect(byName([a('z', 1), a('b', 1), a('b', 3), a('b', 2)]).map((l) => l.map((x) => x.name + x.version))).toEqual([['b3', 'b2', 'b1'], ['z1']]);
});

test('a party is written as people say it', () => {
  expect(partyName('KWT/kw.ncsc')).toBe('kw.ncsc (KWT)');
  expect(partyName('org:XER/Erewhon CERT/East')).toBe('Erewhon CERT/East (XER)');
  expect(partyName('KWT')).toBe('KWT');
});

test('who signed is named, also where the text leaves it to the key log', () => {
  expect(signers({ org: 'Utopia CERT', who: [''] })).toEqual(['Utopia CERT']);
  expect(signers({ org: 'a', who: ['a', 'b'] })).toEqual(['a', 'b']);
  expect(signers({})).toEqual([]);
});

test('bytes come out of base64 as they went in', () => {
  const text = '{"name":"Dünung 🌊"}\n';
  expect(textOf(Buffer.from(text).toString('base64'))).toBe(text);
  expect(textOf(undefined)).toBe('');
});

test('clauses stand together, in their order', () => {
  const all = [{ clause: 'b', n: 1 }, { n: 2 }, { clause: 'b', n: 3 }];
  expect(byClause(all).map((c) => [c.name, c.items.map((x) => x.n)])).toEqual([['b', [1, 3]], ['', [2]]]);
});

test('24 words are six rows of four', () => {
  expect(rows(Array.from({ length: 24 }, (_, i) => 'w' + i).join(' '))).toHaveLength(6);
  expect(rows('a b c d e')).toEqual([['a', 'b', 'c', 'd'], ['e']]);
});

test('only what binds can be suspended, and only what is suspended resumed', () => {
  expect(sayable('active')).toContain('suspend');
  expect(sayable('suspended')).toContain('resume');
  expect(sayable('draft')).toEqual([]);
});

describe('an amendment', () => {
  test('has the next number and names what it supersedes', () => {
    expect(amended('accord "a" {\n  version   = 1\n  mode      = operational\n}\n', 1, 'sha256:aa')).toBe('accord "a" {\n  version    = 2\n  supersedes = "sha256:aa"\n  mode      = operational\n}\n');
  });
  test('supersedes one version only', () => {
    expect(amended('accord "a" {\n  version    = 2\n  supersedes = "sha256:aa"\n}\n', 2, 'sha256:bb').match(/supersedes/g)).toHaveLength(1);
  });
});

test('a line and a column are found in a text, counted in characters', () => {
  expect(offsetOf('ab\n🌊d\n', 2, 2)).toBe(5);
  expect(offsetOf('ab', 9, 9)).toBe(2);
});

test('a form says whether its parties are too few or too many', () => {
  expect([1, 2, 3].map((n) => nearly('bilateral', n))).toEqual(['few', undefined, 'many']);
  expect([2, 3, 4].map((n) => nearly('trilateral', n))).toEqual(['few', undefined, 'many']);
  expect([2, 64, 65].map((n) => nearly('alliance', n))).toEqual([undefined, undefined, 'many']);
});

test('nations are read from what somebody writes, and name the accord', () => {
  expect(nationsOf(' rur, GRA;rur ')).toEqual(['RUR', 'GRA']);
  expect(nationsOf('')).toEqual([]);
  expect(suggested(['UTO', 'XER'])).toBe('uto-xer');
  expect(suggested(['UTO', 'XER'], ['uto-rur'])).toBe('uto-xer');
  expect(suggested(['UTO', 'XER'], ['uto-xer'])).toBe('uto-xer-2');
  expect(suggested(['UTO', 'XER'], ['uto-xer', 'uto-xer-2'])).toBe('uto-xer-3');
  expect(suggested(['UTO'])).toBe('');
  expect(suggested(['UTO', 'XER', 'RUR', 'GRA'])).toBe('');
});

describe('what the other side reads', () => {
  const said = (heard: string) => compared('XER', 'acid amber able', 'ab12', heard);
  test('is compared word by word, however it is written down', () => {
    expect(said('')).toEqual({ same: 0, of: 3, done: false });
    expect(said('Acid\n2. amb')).toEqual({ same: 1, of: 3, done: false });
    expect(said('1 acid, AMBER; able ')).toEqual({ same: 3, of: 3, done: true });
  });
  test('says which word differs', () => {
    expect(said('acid ember able').wrong).toEqual({ place: 2, heard: 'ember', here: 'amber' });
    expect(said('acid amb able').wrong).toEqual({ place: 2, heard: 'amb', here: 'amber' });
    expect(said('acid amber able acid').wrong).toEqual({ place: 4, heard: 'acid', here: '–' });
    expect(said('acid amb ').wrong).toEqual({ place: 2, heard: 'amb', here: 'amber' });
  });
  test('may be the text of a code', () => {
    expect(said('ENTENTE:XER:AB12').done).toBe(true);
    expect(said('ENTENTE:XER:AB13').wrong).toBe('code');
    expect(said('ENTENTE:RUR:AB12').wrong).toBe('code');
    const hex = 'ab'.repeat(32);
    expect(compared('XER', 'acid', hex, hex.toUpperCase().match(/.{8}/g)!.join(' ')).done).toBe(true);
    expect(compared('XER', 'acid', hex, 'ac'.repeat(32)).wrong).toBe('code');
  });
  test('may be the first four letters of each word', () => {
    expect(compared('XER', 'distance hire', '', 'dist hire').done).toBe(true);
    expect(compared('XER', 'distance hire', '', 'dis hire').wrong).toEqual({ place: 1, heard: 'dis', here: 'distance' });
  });
});

test('what an officer runs is one command, whatever the organisation is called', () => {
  expect(signCommand("uto-rur|incident--1|v|RUR/Rur's CERT", 'https://node.example')).toBe(
    "entente release sign 'uto-rur|incident--1|v|RUR/Rur'\\''s CERT' --server 'https://node.example' --token-file token --signing-key officer.key --passphrase-file phrase",
  );
});
