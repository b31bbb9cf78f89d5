import type { StixObject } from '$/api';

const titles = ['name', 'value', 'title', 'subject', 'path', 'key', 'user_id', 'account_login', 'display_name', 'command_line', 'url', 'abstract', 'opinion', 'product', 'definition'] as const;

/** What an object is called: its name or value, else the beginning of what it says; empty where it says nothing. */
export function nameOf(o: StixObject | undefined): string {
  if (!o) return '';
  for (const member of titles) {
    const v = o[member];
    if (typeof v === 'string' && v.trim()) return v.trim();
  }
  if (typeof o.number === 'number') return `AS${o.number}`;
  if (o.hashes && typeof o.hashes === 'object') {
    const first = Object.values(o.hashes)[0];
    if (typeof first === 'string') return first;
  }
  for (const member of ['content', 'pattern', 'description']) {
    const v = o[member];
    if (typeof v === 'string' && v.trim()) return firstLine(v);
  }
  return '';
}

/** What an object without a name is called by: the objects that it connects. */
export interface Parts {
  source: string;
  verb: string;
  target: string;
}

/** The ends of a relationship, what was seen by a sighting or in an observation; undefined for what has a name of its own. */
export function partsOf(o: StixObject): Parts | undefined {
  if (nameOf({ ...o, description: undefined })) return undefined;
  const text = (v: unknown) => (typeof v === 'string' ? v : '');
  if (o.type === 'relationship' && text(o.source_ref) && text(o.target_ref)) return { source: text(o.source_ref), verb: text(o.relationship_type), target: text(o.target_ref) };
  if (o.type === 'sighting' && text(o.sighting_of_ref)) return { source: text(o.sighting_of_ref), verb: '', target: '' };
  if (o.type === 'observed-data' && Array.isArray(o.object_refs) && text(o.object_refs[0])) return { source: text(o.object_refs[0]), verb: '', target: '' };
  return undefined;
}

/** The first line of a text, or what of it fits. */
export function firstLine(text: string, most = 120): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return line.length > most ? line.slice(0, most - 1).trimEnd() + '…' : line;
}

/** What an object says beside its name, in one line for a list. */
export function gist(o: StixObject | undefined): string {
  if (!o) return '';
  const name = nameOf(o);
  for (const member of ['description', 'pattern', 'content', 'abstract', 'explanation']) {
    const v = o[member];
    if (typeof v === 'string' && v.trim() && firstLine(v) !== name) return plain(v).slice(0, 300);
  }
  return '';
}

/** A text without the links and citations of Markdown that published sets carry. */
export function plain(text: string): string {
  return text
    .replace(/\[([^\]]+)\]\((?:[^()\s]|\([^()\s]*\))+\)/g, '$1')
    .replace(/\s*\(Citation: [^)]*\)/g, '')
    .replace(/<\/?code>/g, '');
}

const id = /^[a-z0-9][a-z0-9-]*--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a text is the id of an object. */
export function isID(text: string): boolean {
  return id.test(text);
}

/** The type that an id names. */
export function typeOf(objectID: string): string {
  return objectID.split('--', 1)[0] ?? '';
}

/** Every id of another object in a value, in the order in which they stand. */
export function idsIn(value: unknown, most = 200): string[] {
  const out = new Set<string>();
  const walk = (v: unknown, depth: number) => {
    if (out.size >= most || depth > 12) return;
    if (typeof v === 'string') {
      if (isID(v)) out.add(v);
    } else if (Array.isArray(v)) for (const x of v) walk(x, depth + 1);
    else if (v && typeof v === 'object') for (const x of Object.values(v)) walk(x, depth + 1);
  };
  walk(value, 0);
  return [...out];
}
