import { expect, test } from 'vitest';
import { base64, byUrgency, digests, final, parties, plain, ruleOf, rulesOf, waits, type Decision } from './decisions';

const decision = (more: Partial<Decision> & { deadline?: string } = {}): Decision =>
  ({
    id: 'ab',
    state: 'open',
    accord: 'uto-xer',
    version: 1,
    from: 'XER',
    voters: ['UTO', 'XER'],
    said: [],
    mine: false,
    second: false,
    executes: false,
    ...more,
    what: { v: 1, id: 'x', round: 1, accord: 'sha256:00', rule: 'block', nation: 'XER', org: 'Erewhon CERT', title: 't', opens: '2026-03-02T08:00:00Z', deadline: more.deadline ?? '2026-03-03T08:00:00Z', ...more.what },
  }) as Decision;

test('consent and veto are final, the others are not', () => {
  expect(['consent', 'veto', 'abstain', 'reservation', undefined].map(final)).toEqual([true, true, false, false, false]);
});

test.each([
  ['second', { second: true, mine: true, state: 'seeking' }],
  ['say', { mine: true }],
  ['report', { state: 'started', executes: true }],
  ['report', { state: 'decided' }],
  [undefined, { state: 'decided', executes: true }],
  [undefined, { state: 'rejected' }],
] as const)('what waits for this organisation: %s', (want, more) => {
  expect(waits(decision(more as Partial<Decision>))).toBe(want);
});

test('what is to take now comes first, the most urgent before the others; what is over stands last', () => {
  const all = [
    decision({ id: 'late', mine: true, deadline: '2026-03-09T08:00:00Z' }),
    decision({ id: 'over', state: 'executed' }),
    decision({ id: 'soon', mine: true, deadline: '2026-03-02T09:00:00Z' }),
    decision({ id: 'said', own: 'consent' }),
    decision({ id: 'newer', state: 'rejected', deadline: '2026-03-05T08:00:00Z' }),
  ];
  const { now, under, over } = byUrgency(all);
  expect([now, under, over].map((l) => l.map((d) => d.id))).toEqual([['soon', 'late'], ['said'], ['newer', 'over']]);
});

test('an accord that never expires is signed after what has a deadline, and stands by its beginning once it binds', () => {
  const text = (id: string, more: Partial<Decision>, opens = '2026-03-02T08:00:00Z') => {
    const d = decision({ id, ...more, what: { action: { type: 'accord', do: 'ratify' }, opens } as Decision['what'] });
    return { ...d, what: { ...d.what, deadline: undefined } } as Decision;
  };
  const { now, over } = byUrgency([text('sign', { mine: true }), text('sign too', { mine: true }), decision({ id: 'say', mine: true }), text('old', { state: 'executed' }, '2026-01-01T00:00:00Z'), decision({ id: 'over', state: 'executed' }), text('new', { state: 'executed' }, '2026-04-01T00:00:00Z')]);
  expect([now, over].map((l) => l.map((d) => d.id))).toEqual([['say', 'sign', 'sign too'], ['new', 'over', 'old']]);
});

test('sentences of a rule lose the name of the rule, and nothing else', () => {
  expect(plain('Decision block: silence is no consent.')).toBe('Silence is no consent.');
  expect(plain('Entscheidung block: sie muss binnen 1 Tag fallen.')).toBe('Sie muss binnen 1 Tag fallen.');
  const sentences = [{ clause: 'decide block', text: 'Decision block: a.' }, { clause: 'handle', text: 'b' }, { clause: 'decide other', text: 'Decision other: c.' }, { clause: 'decide block', text: 'Decision block: d.' }];
  expect(rulesOf(sentences)).toEqual(['block', 'other']);
  expect(ruleOf(sentences, 'block')).toEqual(['A.', 'D.']);
});

test('of each party its last word stands, and who is quiet and who has no vote is there, too', () => {
  const at = '2026-03-02T08:00:00Z';
  const all = parties(
    decision({
      what: { subject: ['RUR'] } as Decision['what'],
      said: [
        { nation: 'XER', kind: 'ack', at, log: 'l', index: 1 },
        { nation: 'XER', kind: 'position', choice: 'abstain', at, log: 'l', index: 2 },
        { nation: 'XER', kind: 'position', choice: 'veto', at, log: 'l', index: 3 },
      ],
    }),
  );
  expect(all.map((p) => [p.nation, p.votes, p.said?.choice, !!p.acked])).toEqual([
    ['RUR', false, undefined, false],
    ['UTO', true, undefined, false],
    ['XER', true, 'veto', true],
  ]);
});

test('digests are named and taken once; texts keep their letters', () => {
  const d = 'ab'.repeat(32);
  expect(digests(`${d}\n sha256:${d}, ${d.toUpperCase()}`)).toEqual(['sha256:' + d]);
  expect(digests('x')).toEqual(['x']);
  expect(new TextDecoder().decode(Uint8Array.from(atob(base64('Grüße ✓')), (c) => c.charCodeAt(0)))).toBe('Grüße ✓');
});
