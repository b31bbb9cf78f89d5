import { expect, test } from 'vitest';
import { StreamReader } from './sse';

const stream = 'retry: 3000\nid: a\n\nid: b\nevent: object\ndata: {"object":{}}\n\n:\nid: c\n\nevent: act\ndata: one\ndata: two\n\nid: d\ndata: cut';

test('events come whole, however the stream is cut into pieces', () => {
  for (let size = 1; size < stream.length; size++) {
    const r = new StreamReader();
    const got = [];
    for (let i = 0; i < stream.length; i += size) got.push(...r.push(stream.slice(i, i + size)));
    expect(got).toEqual([
      { name: 'object', data: '{"object":{}}' },
      { name: 'act', data: 'one\ntwo' },
    ]);
    expect(r.id).toBe('c'); // what was cut off comes again
  }
});

test('a block that says only where the stream is moves the place', () => {
  const r = new StreamReader();
  expect(r.push('id: x\n\n')).toEqual([]);
  expect(r.id).toBe('x');
  r.push('data: y\n');
  expect(r.id).toBe('x');
});

test('lines end in any way, and comments and unknown fields are passed over', () => {
  const r = new StreamReader();
  expect(r.push(': hello\r\nfoo: bar\r\ndata:tight\r\ndata\r\n\r\n')).toEqual([{ name: 'message', data: 'tight\n' }]);
});
