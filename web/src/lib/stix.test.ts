import { describe, expect, test } from 'vitest';
import { nothing } from './choice';
import { build, canonical, domainObject, hereKey, newVersion, observableID, observables, uuid5, type Plan } from './stix';

test('UUIDs of names are those that everybody makes', async () => {
  expect(await uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
});

test.each([
  ['ipv4-addr', { value: '198.51.100.3' }, '28bb3599-77cd-5a82-a950-b5bc3caf07c4'],
  ['domain-name', { value: 'example.com' }, 'bedb4899-d24b-5401-bc86-8f6b4cc18ec7'],
  ['url', { value: 'https://example.com/research/index.html' }, '47c3cf9a-5027-5bf0-997a-017c7edc7c55'],
  ['email-addr', { value: 'john@example.com', display_name: 'John' }, '7165e2a9-671f-585d-b1e1-ca59c671d934'],
  ['mac-addr', { value: 'd2:fb:49:24:37:18' }, '757b1725-9903-54f5-a855-1240691d7659'],
  ['mutex', { name: '__CLEANSWEEP__' }, 'f93fe911-e545-5239-b9b0-597840d0c871'],
  ['file', { hashes: { 'SHA-256': 'fe90a7e910cb3a4739bed9180e807e93fa70c90f25a8915476f5e4bfbac681db' }, name: 'foo.dll' }, '949eb97a-da1e-5292-8959-03c4249dc9f3'],
])('the id of %s %o', async (type, members, id) => expect(await observableID(type, members)).toBe(`${type}--${id}`));

test('of several hashes one counts, and what does not contribute changes nothing', async () => {
  const sha = 'fe90a7e910cb3a4739bed9180e807e93fa70c90f25a8915476f5e4bfbac681db';
  const both = await observableID('file', { hashes: { 'SHA-256': sha, MD5: '44d88612fea8a8f36de82e1278abb02f' }, size: 68 });
  expect(both).toBe(await observableID('file', { hashes: { MD5: '44d88612fea8a8f36de82e1278abb02f' } }));
});

test('canonical JSON sorts by code units and writes no space', () => {
  expect(canonical({ b: [1, 'ä', null], a: { '\u20ac': true, '\r': 1 }, gone: undefined })).toBe('{"a":{"\\r":1,"€":true},"b":[1,"ä",null]}');
});

test('an address with a port becomes traffic to the address', async () => {
  const [address, traffic] = await observables({ kind: 'ip-port', value: '[2001:db8::7]:8443', pattern: '' });
  expect(address).toMatchObject({ type: 'ipv6-addr', value: '2001:db8::7' });
  expect(traffic).toMatchObject({ type: 'network-traffic', dst_ref: address?.id, dst_port: 8443 });
});

const now = new Date('2026-03-01T08:00:00Z');
const plan: Plan = { indicators: true, observables: true, report: true, name: 'Low tide', description: 'Seen in harbours', confidence: 70, kind: 'malicious-activity', validFrom: now, validUntil: undefined, label: { ...nothing, tlp: 'TLP:AMBER' } };
const values = [
  { kind: 'domain', value: 'example.com', pattern: "[domain-name:value = 'example.com']" },
  { kind: 'vulnerability', value: 'CVE-2024-3400', pattern: '' },
  { kind: 'attack-pattern', value: 'T1059.001', pattern: '' },
];

describe('what becomes of the values of a text', () => {
  test('a report holds everything, and comes last', async () => {
    const made = await build(values, plan, now, new Map([[hereKey({ kind: 'attack-pattern', value: 'T1059.001' }), 'attack-pattern--1']]));
    expect(made.map((o) => o.type)).toEqual(['indicator', 'domain-name', 'vulnerability', 'report']);
    const report = made.at(-1);
    expect(report?.object_refs).toEqual([...made.slice(0, -1).map((o) => o.id), 'attack-pattern--1']);
    expect(report).toMatchObject({ created: '2026-03-01T08:00:00.000Z', object_marking_refs: ['marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421'] });
  });

  test('an observable carries no marking, so that it is the same object for everybody', async () => {
    const made = await build(values, { ...plan, indicators: false, report: false }, now);
    expect(made.find((o) => o.type === 'domain-name')).toEqual({ type: 'domain-name', spec_version: '2.1', id: 'domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7', value: 'example.com' });
  });

  test('nothing chosen makes nothing', async () => {
    expect(await build([], plan, now)).toEqual([]);
  });
});

test('what is empty is left out', () => {
  const o = domainObject('note', now, nothing, { abstract: '', content: 'x', labels: [] });
  expect(Object.keys(o).sort()).toEqual(['content', 'created', 'id', 'modified', 'spec_version', 'type']);
});

test('a new version is later than the one before, whatever the clock says', () => {
  const old = { type: 'report', id: 'report--1', created: 'c', modified: '2026-03-01T09:00:00.000Z', name: 'a', labels: ['x'] };
  expect(newVersion(old, now, { name: 'b', labels: [] })).toEqual({ type: 'report', id: 'report--1', created: 'c', modified: '2026-03-01T09:00:00.001Z', name: 'b' });
});
