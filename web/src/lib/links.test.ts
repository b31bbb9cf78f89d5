import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { links as de } from '$/i18n/de/links';
import { links as en } from '$/i18n/en/links';
import type { Link } from './accord';
import { alarms, around, kinds, lagSince, linkState, relayLag, relayState, type Relay } from './links';

const link = (more: Partial<Link> = {}): Link => ({ nation: 'XER', org: 'Erewhon CERT', up: true, address: 'x:1', since: '2026-03-02T08:00:00Z', owed: 0, got: 0, ...more });

test.each([
  ['up', {}],
  ['down', { up: false }],
  ['untried', { up: false, since: undefined }],
  ['calls', { up: false, address: undefined }],
  ['behind', { behind: '2026-03-02T08:00:00Z' }],
  ['behind', { stale: '2026-03-02T08:00:00Z' }],
  ['down', { up: false, behind: '2026-03-02T08:00:00Z' }],
  ['accused', { fork: true }],
  ['accused', { up: false, proof: 'p1' }],
] as const)('a link is %s', (want, more) => {
  expect(linkState(link(more))).toBe(want);
});

test('lag counts from the first of its reasons, and a link that is well has none', () => {
  expect(lagSince(link())).toBeUndefined();
  expect(lagSince(link({ behind: '2026-03-02T09:00:00Z', stale: '2026-03-02T08:30:00.5Z' }))).toBe('2026-03-02T08:30:00.5Z');
  expect(lagSince(link({ up: false }))).toBe('2026-03-02T08:00:00Z');
});

test('alarms: what was proved comes first, what the node tells stands once, and a partner that calls us is no alarm', () => {
  const all = alarms(
    [link({ nation: 'BRA', up: false }), link({ nation: 'UTO', up: false, address: undefined }), link()],
    [
      { nation: 'XER', kind: 'clock', text: 'c' },
      { nation: 'RUR', kind: 'proof', proof: 'p1', text: 'a' },
      { nation: 'RUR', kind: 'behind', since: '2026-03-02T09:00:00Z', text: 'b' },
      { nation: 'FRE', kind: 'forked', text: 'd' },
      { nation: 'XER', kind: 'sensor', sensor: 'north', text: 'e' },
    ],
  );
  expect(all.map((a) => `${a.nation} ${a.kind} ${a.tone}`)).toEqual(['RUR proof bad', 'FRE forked bad', 'RUR behind bad', 'XER sensor bad', 'XER clock warn', 'BRA down warn']);
  expect(all[0]?.proof).toBe('p1');
  expect(all[3]?.sensor).toBe('north');
});

test('every kind of alarm that the node can tell has its place and its words in every language', () => {
  const document = JSON.parse(readFileSync(join(import.meta.dirname, '../../../docs/openapi.json'), 'utf8')) as { components: { schemas: { Alarm: { properties: { kind: { enum: string[] } } } } } };
  const told = document.components.schemas.Alarm.properties.kind.enum;
  expect(told.length).toBeGreaterThan(5);
  for (const kind of new Set([...told, ...kinds])) {
    expect(kinds, kind).toContain(kind);
    for (const words of [en, de] as Record<string, string>[]) expect(words['alarm.' + kind], kind).toBeTruthy();
  }
});

test('a relay that keeps something back is an alarm, and is not said twice', () => {
  const relay = (more: Partial<Relay>): Relay => ({ nation: 'HUB', org: 'hub.example', up: true, since: '2026-03-02T08:00:00Z', given: 0, got: 0, ...more });
  expect(relayState(relay({}))).toBe('up');
  expect(relayLag(relay({}))).toBeUndefined();
  expect(alarms([], [], [relay({ behind: '2026-03-02T09:00:00Z' })]).map((a) => a.kind)).toEqual(['carrier']);
  expect(alarms([link({ nation: 'HUB', up: false })], [], [relay({ up: false })]).map((a) => a.kind)).toEqual(['down']);
  expect(alarms([], [{ nation: 'HUB', kind: 'proof', proof: 'p', text: '' }], [relay({ proof: 'p' })]).map((a) => a.kind)).toEqual(['proof']);
});

describe.each([1, 2, 5, 14, 15, 31, 63])('%i partners around the own node', (n) => {
  const places = around(n, 600, 420);
  test('each has a place of its own in the picture', () => {
    expect(places).toHaveLength(n);
    for (const p of places) {
      expect(p.x).toBeGreaterThanOrEqual(50);
      expect(p.x).toBeLessThanOrEqual(550);
      expect(p.y).toBeGreaterThanOrEqual(50);
      expect(p.y).toBeLessThanOrEqual(370);
    }
    expect(new Set(places.map((p) => `${p.x},${p.y}`)).size).toBe(n);
  });
  test('none stands on the own node', () => {
    for (const p of places) expect(Math.hypot(p.x - 300, p.y - 210)).toBeGreaterThan(30);
  });
});
