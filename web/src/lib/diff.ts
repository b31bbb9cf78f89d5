/** One place where two objects differ. before or after is undefined where it is not there. */
export interface Change {
  path: string;
  before?: string;
  after?: string;
}

/** Where two JSON values differ, by the places of their leaves. Lists of plain values are compared as sets: what was added and what was taken out. */
export function diff(before: unknown, after: unknown, path = ''): Change[] {
  if (same(before, after)) return [];
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return names.flatMap((n) => diff(before[n], after[n], path ? `${path}.${n}` : n));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.every(isPlain) && after.every(isPlain)) {
      const out = before.filter((x) => !after.includes(x)).map((x): Change => ({ path, before: text(x) }));
      const into = after.filter((x) => !before.includes(x)).map((x): Change => ({ path, after: text(x) }));
      if (out.length + into.length) return [...out, ...into];
      return [{ path, before: text(before), after: text(after) }]; // the order, or how often
    }
    return Array.from({ length: Math.max(before.length, after.length) }, (_, i) => diff(before[i], after[i], `${path}[${i}]`)).flat();
  }
  return [{ path, before: before === undefined ? undefined : text(before), after: after === undefined ? undefined : text(after) }];
}

function isObject(v: unknown): v is Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

function isPlain(v: unknown): boolean {
  return typeof v !== 'object' || v === null;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => same(x, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((n) => n in b && same(a[n], b[n]));
}

function text(v: unknown): string {
  return typeof v === 'string' ? v : JSON.stringify(v, null, 2);
}
