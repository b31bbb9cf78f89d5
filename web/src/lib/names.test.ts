import { expect, test } from 'vitest';
import { firstLine, gist, idsIn, isID, nameOf, partsOf, plain } from './names';

test.each([
  [{ type: 'malware', name: ' Low Tide ' }, 'Low Tide'],
  [{ type: 'ipv4-addr', value: '198.51.100.7' }, '198.51.100.7'],
  [{ type: 'autonomous-system', number: 64496 }, 'AS64496'],
  [{ type: 'file', hashes: { 'SHA-256': 'ab12' } }, 'ab12'],
  [{ type: 'note', content: 'first\nsecond' }, 'first'],
  [{ type: 'indicator', name: '', pattern: "[url:value = 'x']" }, "[url:value = 'x']"],
  [{ type: 'relationship' }, ''],
  [undefined, ''],
])('what %j is called', (o, want) => {
  expect(nameOf(o)).toBe(want);
});

test('the gist is not the name once more', () => {
  expect(gist({ type: 'note', content: 'only this' })).toBe('');
  expect(gist({ type: 'tool', name: 'T', description: '[T](https://example.org/T_(x)) dumps. (Citation: A B)' })).toBe('T dumps.');
});

test('a long line is cut, a short one is not', () => {
  expect(firstLine('x'.repeat(200), 10)).toBe('xxxxxxxxx…');
  expect(firstLine('short', 10)).toBe('short');
});

test('ids are told from texts that look like them, and found wherever they stand', () => {
  const a = 'malware--d951d3f1-be15-4c4e-a698-c0c0e89753ab';
  expect(isID(a)).toBe(true);
  expect(isID('malware--x')).toBe(false);
  expect(isID('see ' + a)).toBe(false);
  expect(idsIn({ a, list: [a, { deep: 'tool--afc079f3-c0ea-4096-b75d-3f05338b7f60' }], n: 1, none: null })).toEqual([a, 'tool--afc079f3-c0ea-4096-b75d-3f05338b7f60']);
});

test('markup of published texts is left out', () => {
  expect(plain('run <code>cmd</code> by [X](https://e.example/a)')).toBe('run cmd by X');
});

test.each([
  [{ type: 'relationship', source_ref: 'a', relationship_type: 'uses', target_ref: 'b', description: 'how' }, { source: 'a', verb: 'uses', target: 'b' }],
  [{ type: 'sighting', sighting_of_ref: 'a' }, { source: 'a', verb: '', target: '' }],
  [{ type: 'observed-data', object_refs: ['a', 'b'] }, { source: 'a', verb: '', target: '' }],
  [{ type: 'relationship', name: 'named', source_ref: 'a', target_ref: 'b' }, undefined],
  [{ type: 'relationship', source_ref: 7 }, undefined],
  [{ type: 'tool', source_ref: 'a', target_ref: 'b' }, undefined],
])('what %j connects', (o, want) => {
  expect(partsOf(o)).toEqual(want);
});
