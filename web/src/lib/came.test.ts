import { expect, test } from 'vitest';
import { wayOf } from './came';

test.each([
  ['stream', 'stream', ''],
  ['relay:hub.example', 'relay', 'hub.example'],
  ['relay:Hub: the second', 'relay', 'Hub: the second'],
  ['bundle', 'bundle', ''],
  ['pigeon', 'unknown', ''],
  [undefined, 'unknown', ''],
] as const)('%s is a way', (told, by, name) => {
  expect(wayOf(told)).toEqual({ by, name });
});
