import { expect, test } from 'vitest';
import { filled, hoursOf } from './register';

test('what is empty is not sent', () => {
  expect(filled({ name: ' Harbour ', aliases: ['', ' '], contacts: [{ name: 'Desk', email: '', hours: { always: false, zone: '' } }], asns: [64500, NaN], networks: [{ range: '', shared: false }] })).toEqual({ name: 'Harbour', contacts: [{ name: 'Desk' }], asns: [64500] });
});

test('duty hours are told day by day', () => {
  expect(hoursOf({ zone: 'Europe/Berlin', mon: '08:00-12:00,13:00-17:00', sun: '' })).toEqual([{ day: 'mon', spans: '08:00–12:00, 13:00–17:00' }]);
});
