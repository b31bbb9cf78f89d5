import { expect, test } from 'vitest';
import { asValue, isFiltered, marked, readSearch, searchQuery, shownWords, toggled } from './searchstate';

test('an address is read, and what it does not offer is passed over', () => {
  const s = readSearch(new URLSearchParams('q=low+tide&type=malware&type=tool&tlp=TLP:AMBER%2BSTRICT&since=99y&sort=worst&org=A+B'));
  expect(s).toEqual({ q: 'low tide', types: ['malware', 'tool'], tlps: ['TLP:AMBER+STRICT'], orgs: ['A B'], since: '', collection: '', sort: 'relevance' });
  expect(isFiltered(s)).toBe(true);
  expect(isFiltered(readSearch(new URLSearchParams('q=x&sort=newest')))).toBe(false);
});

test('the node is asked in its own words', () => {
  const s = readSearch(new URLSearchParams('q=emo&tlp=TLP:AMBER%2BSTRICT&since=7d'));
  expect(searchQuery(s, 40)).toEqual({ q: 'emo', typing: true, type: [], tlp: ['amber+strict'], since: '7d', collection: '', sort: undefined, facets: true, limit: 40 });
  const from = searchQuery(readSearch(new URLSearchParams('q=emo&org=Utopia+"CERT"')), 40);
  expect(from.q).toBe('emo source:"Utopia CERT"');
  expect(from.typing).toBe(false);
  expect(searchQuery(readSearch(new URLSearchParams()), 40).sort).toBe('newest');
  expect(searchQuery(readSearch(new URLSearchParams('collection=feed')), 40).facets).toBe(false);
});

test.each(['198.51.100.7', '198.51.100.0/24', '2001:db8::/32', 'evil.example', 'evil[.]example', 'hxxps://evil[.]example/a', 'd41d8cd98f00b204e9800998ecf8427e'])('%s is a value', (v) => {
  expect(asValue(v)).toBe(v);
});

test.each(['loader', 'low tide', 'type:malware', 'value:198.51.100.7', '', 'v1.2', 'two evil.example'])('%s is no value', (v) => {
  expect(asValue(v)).toBeUndefined();
});

test('words of a query are shown where they begin a word', () => {
  expect(shownWords('loader -gone type:tool "low tide" emot* value:a.example')).toEqual(['loader', 'low tide', 'emot', 'a.example']);
  expect(marked('Unloader and Loaders (c++)', ['load', 'c++'])).toEqual([
    { text: 'Unloader and ', hit: false },
    { text: 'Load', hit: true },
    { text: 'ers (', hit: false },
    { text: 'c++', hit: true },
    { text: ')', hit: false },
  ]);
});

test('a filter goes in and out', () => {
  expect(toggled(['a'], 'b')).toEqual(['a', 'b']);
  expect(toggled(['a', 'b'], 'a')).toEqual(['b']);
});
