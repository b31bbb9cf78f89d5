import { expect, test } from 'vitest';
import { nothing } from './choice';
import { blank, draftOf, missing, objectOf, stricter } from './writing';

const now = new Date('2026-03-01T08:00:00Z');
const amber = 'marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421';

test('a draft says what is missing first', () => {
  const d = blank();
  expect(missing(d)).toBe('title');
  d.title = 'Ebb';
  expect(missing(d)).toBe('refs');
  d.refs = ['malware--1'];
  expect(missing(d)).toBeUndefined();
  expect(missing({ ...d, kind: 'note' })).toBe('text');
  expect(missing({ ...d, label: nothing })).toBe('tlp');
});

test('a report becomes an object, and the object a draft again', () => {
  const d = { ...blank(), title: 'Ebb', text: 'Seen in ports', refs: ['malware--1'], labels: 'port, phishing', sources: [{ source_name: 'CERT', url: '' }] };
  const o = objectOf(d, now);
  expect(o).toMatchObject({ type: 'report', name: 'Ebb', published: '2026-03-01T08:00:00.000Z', labels: ['port', 'phishing'], external_references: [{ source_name: 'CERT' }], object_marking_refs: [amber] });
  expect(draftOf(o, d.label)).toEqual({ ...d, labels: 'port, phishing', sources: [{ source_name: 'CERT' }] });
});

test('a new version keeps the id, its first publication and other markings', () => {
  const old: Record<string, unknown> = { ...objectOf({ ...blank(), title: 'Ebb', refs: ['malware--1'] }, now), object_marking_refs: [amber, 'marking-definition--other'] };
  const next = objectOf({ ...blank(), title: 'Ebb and flow', refs: ['malware--1'], label: { ...nothing, tlp: 'TLP:GREEN' } }, new Date('2026-03-02T08:00:00Z'), old);
  expect(next).toMatchObject({ id: old.id, created: old.created, published: old.published, modified: '2026-03-02T08:00:00.000Z', name: 'Ebb and flow', object_marking_refs: ['marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb', 'marking-definition--other'] });
});

test('a sighting is of one object, at times in UTC', () => {
  expect(objectOf({ ...blank(), kind: 'sighting', refs: ['indicator--1'], count: 3, firstSeen: '2026-02-01T10:00' }, now)).toMatchObject({ sighting_of_ref: 'indicator--1', count: 3, first_seen: '2026-02-01T10:00:00.000Z' });
});

test('red reaches fewer than amber', () => {
  expect([stricter('TLP:RED', 'TLP:AMBER'), stricter('TLP:GREEN', 'TLP:AMBER'), stricter('TLP:AMBER', 'TLP:AMBER')]).toEqual([true, false, false]);
});
