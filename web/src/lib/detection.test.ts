import { describe, expect, test } from 'vitest';
import { blockFile, daysUntil, detectionKey, enrolCommands, fetchCommands, isAbout, loadLine, refang, renewed, signs, word, type Detection, type Sensor } from './detection';

const at = '2026-03-02T08:00:00Z';
const met = (more: Partial<Detection> = {}): Detection => ({ source: 'indicator--1', sensor: 's1', name: 'north', org: 'Utopia CERT', day: '2026-03-02', first: at, last: at, count: 1, ...more });

describe('detections', () => {
  test('are asked for by days, the last included', () => {
    expect(daysUntil(new Date('2026-03-02T23:59:00Z'), 4)).toEqual({ first: '2026-02-27', last: '2026-03-02' });
    expect(daysUntil(new Date('2026-03-02T00:00:00Z'), 1)).toEqual({ first: '2026-03-02', last: '2026-03-02' });
  });

  const shown = [met({ source: 'a' }), met({ source: 'b' }), met({ source: 'b', day: '2026-03-01' })];
  const told = (list: readonly Detection[]) => list.map((d) => [d.source, d.day, d.count]);
  test('that grew take the place of what they were, and stand first', () => {
    const out = renewed(shown, [met({ source: 'b', count: 7 }), met({ source: 'c' }), met({ source: 'a' })], true);
    expect(told(out.items)).toEqual([['b', '2026-03-02', 7], ['c', '2026-03-02', 1], ['a', '2026-03-02', 1], ['b', '2026-03-01', 1]]);
    expect(out.goesOn).toBe(true);
    expect(new Set(out.items.map(detectionKey)).size).toBe(4);
  });
  test('stand alone where more came than a page has: what lies between is not known', () => {
    const page = [met({ source: 'x' }), met({ source: 'a', count: 2 })];
    expect(renewed(shown, page, true)).toEqual({ items: page, goesOn: false });
  });
  test('that are not there any more go', () => {
    expect(told(renewed(shown, [met({ source: 'b' })], false).items)).toEqual([['b', '2026-03-02', 1]]);
  });
});

describe('signs of a sensor', () => {
  const sensor = (more: Partial<Sensor> = {}): Sensor => ({ id: 's1', name: 'north', nation: 'UTO', org: 'Utopia CERT', added: at, by: 'user:ada', state: 'well', behind: 0, events: 9, dropped: 0, unread: 0, lag: 0, spooled: 0, refused: 0, left: 0, expires: '2026-03-20T08:00:00Z', ...more });
  const keys = (more: Partial<Sensor>) => signs(sensor(more), Date.parse(at)).map((s) => s.key);

  test.each([
    ['nothing where all is well', {}, []],
    ['nothing where it is not known how far it is behind', { behind: -1, lag: -1 }, []],
    ['silence', { state: 'silent' }, ['silent']],
    ['what is lost before what waits', { dropped: 3, spooled: 9, behind: 4, refused: 1, left: 2, unread: 5 }, ['refused', 'dropped', 'spooled', 'behind', 'left', 'unread']],
    ['a certificate that ends', { expires: '2026-03-03T08:00:00Z' }, ['expires']],
    ['nothing of one that is revoked', { state: 'revoked', dropped: 3 }, []],
    ['nothing of one that said nothing yet', { state: 'new', behind: 3 }, []],
  ] as const)('tell %s', (_, more, want) => {
    expect(keys(more as Partial<Sensor>)).toEqual(want);
  });
});

describe('commands', () => {
  test.each([['plain-word.1', 'plain-word.1'], ['two words', "'two words'"], ["it's; rm", `'it'\\''s; rm'`], ['$(x)', "'$(x)'"]])('%s is one word of a shell', (text, want) => {
    expect(word(text)).toBe(want);
  });
  test('of a sensor say whom to ask, and with which code', () => {
    expect(enrolCommands('https://node.example:8443', 'ab-cd').split('\n')).toEqual([
      'entente sensor enrol --data /var/lib/entente-sensor https://node.example:8443 ab-cd',
      'entente sensor run --data /var/lib/entente-sensor',
    ]);
  });
  test('of an enforcement point replace a file only after it was verified', () => {
    expect(fetchCommands('https://node.example:8443', 'rpz')).toBe(
      'entente block rpz --server https://node.example:8443 --ca ca.pem --token-file token --out rpz.zone.new\nentente block verify rpz.zone.new --card node.card && mv rpz.zone.new rpz.zone',
    );
    expect(blockFile('list')).toBe('list.txt');
    for (const f of ['rpz', 'hosts', 'nft', 'suricata', 'suricata-domains', 'suricata-ip', 'suricata-md5', 'suricata-sha256', 'snort', 'zeek', 'squid', 'squid-addresses', 'squid-urls', 'sigma']) expect(loadLine(f), f).toContain(blockFile(f));
    for (const f of ['list', 'json', 'csv']) expect(loadLine(f), f).toBeUndefined();
  });
});

test('a value is asked for as people write it down', () => {
  expect(refang(' hxxps://Bad[.]example/X ')).toBe('https://Bad.example/X');
  expect(isAbout({ id: 'indicator--1', value: 'bad.example' }, 'BAD[.]example')).toBe(true);
  expect(isAbout({ id: 'indicator--1', value: 'www.bad.example' }, 'bad.example')).toBe(true);
  expect(isAbout({ id: 'indicator--1' }, 'indicator--1')).toBe(true);
  expect(isAbout({ id: 'indicator--1', value: 'good.example' }, 'bad.example')).toBe(false);
  expect(isAbout({ id: 'indicator--1', value: 'good.example' }, '  ')).toBe(false);
  const of = new Set(['indicator--1']);
  expect(isAbout({ id: 'indicator--1' }, 'bad.example', of)).toBe(true); // all of it is left out
  expect(isAbout({ id: 'indicator--1', value: 'good.example' }, 'bad.example', of)).toBe(false); // another value of it is
});
