import { expect, test } from 'vitest';
import { newest, pause, streamURL } from './stream';

test('attempts become rarer, to a bound, and are spread', () => {
  for (let n = 0; n < 12; n++) {
    expect(pause(n, 0)).toBeGreaterThanOrEqual(500);
    expect(pause(n, 1)).toBeLessThanOrEqual(30_000);
    expect(pause(n + 1, 0.5)).toBeGreaterThanOrEqual(pause(n, 0.5));
    expect(pause(n, 1)).toBeGreaterThan(pause(n, 0));
  }
});

test('a stream goes on after the last event', () => {
  expect(streamURL('')).toBe('/api/v1/stream');
  expect(streamURL('a+b/=')).toBe('/api/v1/stream?after=a%2Bb%2F%3D');
});

test('what comes again moves to the front', () => {
  expect(newest(['a', 'b', 'c'], 'b', (x) => x, 3)).toEqual(['b', 'a', 'c']);
  expect(newest(['a', 'b', 'c'], 'd', (x) => x, 3)).toEqual(['d', 'a', 'b']);
});
