import { api, type Entry } from '$/api';
import { hereKey, type Here, type Value } from '$/lib/stix';

const most = 100;

/** Finds the vulnerabilities and techniques that are here already, by their number. Those that many reports name shall be one object. */
export async function findHere(values: readonly Value[]): Promise<Here> {
  const out = new Map<string, string>();
  const cited = values.filter((v) => v.kind === 'vulnerability' || v.kind === 'attack-pattern').slice(0, most);
  await Promise.all(
    cited.map(async (v) => {
      const found = await api.page<Entry>('/objects', { type: v.kind, external: v.value, limit: 1 });
      const first = found.items[0];
      if (first && !first.held) out.set(hereKey(v), first.id);
    }),
  );
  return out;
}
