import { expect, test } from 'vitest';
import { endable, open, wroteIt, type Notification } from './alerts';

const note = (over: Partial<Notification>) => ({ state: 'draft', ...over }) as Notification;

test('who wrote into a draft does not send it', () => {
  const me = { org: 'Utopia CERT', person: 'otto' };
  expect(wroteIt(note({ editor: 'Utopia CERT/otto' }), me)).toBe(true);
  expect(wroteIt(note({ editor: 'Utopia CERT/ana' }), me)).toBe(false);
  expect(wroteIt(note({}), me)).toBe(false);
});

test('what has left is neither written into nor ended', () => {
  expect([open(note({ state: 'sent' })), endable(note({ state: 'sent' }))]).toEqual([false, false]);
  expect([open(note({ state: 'approved' })), endable(note({ state: 'approved' }))]).toEqual([false, true]);
});
