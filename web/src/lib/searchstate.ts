import type { Query } from '$/api';

/** What is searched for, as it stands in the address. */
export interface SearchState {
  q: string;
  types: string[];
  tlps: string[];
  orgs: string[];
  since: string;
  collection: string;
  sort: 'relevance' | 'newest';
}

/** How long ago something may have been added, as the filter offers it. */
export const ages = ['24h', '7d', '30d', '365d'] as const;

/** Reads an address. What is no value that the filter offers counts as none. */
export function readSearch(p: URLSearchParams): SearchState {
  const since = p.get('since') ?? '';
  return {
    q: p.get('q') ?? '',
    types: p.getAll('type'),
    tlps: p.getAll('tlp'),
    orgs: p.getAll('org'),
    since: (ages as readonly string[]).includes(since) ? since : '',
    collection: p.get('collection') ?? '',
    sort: p.get('sort') === 'newest' ? 'newest' : 'relevance',
  };
}

/** Whether anything but words narrows the search. */
export function isFiltered(s: SearchState): boolean {
  return s.types.length + s.tlps.length + s.orgs.length > 0 || s.since !== '' || s.collection !== '';
}

/** What the node is asked. Organisations are a part of the query's language; without words the newest come first. */
export function searchQuery(s: SearchState, limit: number): Query {
  const from = s.orgs.length ? ` source:${s.orgs.map(quoted).join(',')}` : '';
  return {
    q: s.q.trim() + from,
    typing: s.q.trim() !== '' && from === '',
    type: s.types,
    tlp: s.tlps.map((x) => x.replace(/^TLP:/, '').toLowerCase()),
    since: s.since,
    collection: s.collection,
    sort: s.sort === 'newest' || s.q.trim() === '' ? 'newest' : undefined,
    facets: s.collection === '',
    limit,
  };
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '')}"`;
}

/** A list with a value put in or taken out. */
export function toggled(list: readonly string[], value: string): string[] {
  return list.includes(value) ? list.filter((x) => x !== value) : [...list, value];
}

/** Whether what is typed is one value whole, such as an address, a network, a domain name or a hash: then it can be sought with all around it. */
export function asValue(q: string): string | undefined {
  const text = q.trim();
  if (/\s|:.*:.*\/\/|^\w+:[^/]/.test(text) && !/^[0-9a-f:]+(\/\d+)?$/i.test(text)) return undefined;
  const plain = text.replace(/\[\.\]|\(\.\)/g, '.').replace(/^hxxp/i, 'http');
  const address = /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/;
  const six = /^(?=.*:.*:)[0-9a-f:]+(\/\d{1,3})?$/i;
  const name = /^([a-z0-9_-]+\.)+[a-z][a-z0-9-]+$/i;
  const url = /^https?:\/\/\S+$/i;
  const hash = /^([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})$/i;
  return [address, six, name, url, hash].some((r) => r.test(plain)) ? text : undefined;
}

/** The words of a query that can be shown in what was found. */
export function shownWords(q: string): string[] {
  return [...q.matchAll(/(-?)(?:(\w+):)?(?:"([^"]*)"|(\S+))/g)]
    .filter((m) => !m[1] && (!m[2] || m[2] === 'value'))
    .map((m) => (m[3] ?? m[4] ?? '').replace(/\*$/, '').trim())
    .filter((w) => w.length > 1)
    .slice(0, 12);
}

export interface Piece {
  text: string;
  hit: boolean;
}

/** A text in pieces, those that are words of the query marked. */
export function marked(text: string, words: readonly string[]): Piece[] {
  if (!words.length || !text) return [{ text, hit: false }];
  const any = new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})`, 'giu');
  const out: Piece[] = [];
  let at = 0;
  for (const m of text.matchAll(any)) {
    if (m.index > at) out.push({ text: text.slice(at, m.index), hit: false });
    out.push({ text: m[0], hit: true });
    at = m.index + m[0].length;
  }
  if (at < text.length) out.push({ text: text.slice(at), hit: false });
  return out;
}
