import { describe, expect, test } from 'vitest';
import { amended, byClause, byName, offsetOf, partyName, rows, sayable, signCommand, signers, textOf } from './accord';

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

test('what an officer runs is one command, whatever the organisation is called', () => {
  expect(signCommand("uto-rur|incident--1|v|RUR/Rur's CERT", 'https://node.example')).toBe(
    "entente release sign 'uto-rur|incident--1|v|RUR/Rur'\\''s CERT' --server 'https://node.example' --token-file token --signing-key officer.key --passphrase-file phrase",
  );
});
