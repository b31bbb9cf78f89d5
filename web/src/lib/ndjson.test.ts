import { expect, test } from 'vitest';
import { values } from './ndjson';

function stream(...parts: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder();
  return new ReadableStream({
    start(c) {
      for (const p of parts) c.enqueue(typeof p === 'string' ? bytes.encode(p) : p);
      c.close();
    },
  });
}

async function all(s: ReadableStream<Uint8Array>): Promise<unknown[]> {
  const out: unknown[] = [];
  for await (const v of values(s)) out.push(v);
  return out;
}

test('lines are read wherever they are cut', async () => {
  const whole = new TextEncoder().encode('{"a":"ä"}\n\n{"b":2}\n');
  for (let i = 0; i <= whole.length; i++) expect(await all(stream(whole.slice(0, i), whole.slice(i)))).toEqual([{ a: 'ä' }, { b: 2 }]);
});

test('what was cut off is no value', async () => {
  expect(await all(stream('{"a":1}\n{"b":'))).toEqual([{ a: 1 }]);
});
