import { expect, test } from 'vitest';
import { match, objectPath } from './path';

test.each([
  ['/', '/', {}],
  ['/app/search', '/app/search/', {}],
  ['/app/objects/:id', '/app/objects/file--1', { id: 'file--1' }],
  ['/app/objects/:id', '/app/objects/a%2Fb', { id: 'a/b' }],
  ['/app/objects/:id', '/app/objects/', undefined],
  ['/app/objects/:id', '/app/objects/%zz', undefined],
  ['/app/objects/:id', '/app/objects/a/b', undefined],
  ['/app/search', '/app/searches', undefined],
])('%s and %s', (pattern, path, want) => {
  expect(match(pattern, path)).toEqual(want);
});

test('the address of an object leads back to it', () => {
  expect(match('/app/objects/:id', objectPath('x--ü/?#'))).toEqual({ id: 'x--ü/?#' });
});
