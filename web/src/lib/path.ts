export type Params = Record<string, string>;

/** The parameters of a path that fits a pattern such as /app/objects/:id, decoded; undefined where it does not fit. */
export function match(pattern: string, path: string): Params | undefined {
  const want = pattern.split('/');
  const have = path.replace(/(.)\/$/, '$1').split('/');
  if (want.length !== have.length) return undefined;
  const params: Params = {};
  for (const [i, part] of want.entries()) {
    const is = have[i] ?? '';
    if (!part.startsWith(':')) {
      if (part !== is) return undefined;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(is);
    } catch {
      return undefined;
    }
    if (is === '') return undefined;
  }
  return params;
}

/** The address of an object's page. */
export function objectPath(id: string): string {
  return '/app/objects/' + encodeURIComponent(id);
}
