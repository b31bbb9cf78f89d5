import type { Choice } from './choice';
import { nothing } from './choice';
import { tlps } from './label';
import { domainObject, drop, newVersion, tlpMarkings, type Made } from './stix';

export const kinds = ['report', 'note', 'opinion', 'sighting'] as const;
export type WritingKind = (typeof kinds)[number];

/** Of STIX 2.1 section 10.20. */
export const reportTypes = ['threat-report', 'attack-pattern', 'campaign', 'identity', 'indicator', 'intrusion-set', 'malware', 'observed-data', 'threat-actor', 'tool', 'vulnerability'] as const;
/** Of STIX 2.1 section 10.18. */
export const opinions = ['strongly-disagree', 'disagree', 'neutral', 'agree', 'strongly-agree'] as const;

export interface Source {
  source_name: string;
  url?: string;
  external_id?: string;
  description?: string;
}

/** What somebody is writing. It can be kept as JSON. */
export interface Draft {
  kind: WritingKind;
  title: string;
  text: string;
  types: string[];
  labels: string;
  refs: string[];
  sources: Source[];
  confidence: number | undefined;
  opinion: (typeof opinions)[number];
  count: number;
  firstSeen: string;
  lastSeen: string;
  label: Choice;
}

export function blank(): Draft {
  return { kind: 'report', title: '', text: '', types: ['threat-report'], labels: '', refs: [], sources: [], confidence: undefined, opinion: 'agree', count: 1, firstSeen: '', lastSeen: '', label: { ...nothing, tlp: 'TLP:AMBER' } };
}

/** What is missing before it can be published; nothing when it is whole. */
export function missing(d: Draft): 'title' | 'text' | 'refs' | 'tlp' | undefined {
  if (d.kind === 'report' && !d.title.trim()) return 'title';
  if (d.kind === 'note' && !d.text.trim()) return 'text';
  if (!d.refs.length) return 'refs';
  if (!d.label.tlp) return 'tlp';
  return undefined;
}

const time = (s: string) => (s ? new Date(s + 'Z').toISOString() : undefined); // a field of day and minute, in UTC

/** The members of the object that a draft becomes (STIX 2.1 sections 4.13, 4.14, 4.16 and 5.2). */
export function membersOf(d: Draft): Record<string, unknown> {
  const common = {
    confidence: d.confidence,
    labels: d.labels.split(',').map((w) => w.trim()).filter(Boolean),
    external_references: d.sources.filter((s) => s.source_name.trim()).map((s) => drop({ ...s })),
  };
  switch (d.kind) {
    case 'report':
      return { ...common, name: d.title.trim(), description: d.text.trim(), report_types: d.types, object_refs: d.refs };
    case 'note':
      return { ...common, abstract: d.title.trim(), content: d.text.trim(), object_refs: d.refs };
    case 'opinion':
      return { ...common, opinion: d.opinion, explanation: d.text.trim(), object_refs: d.refs };
    case 'sighting':
      return { ...common, description: d.text.trim(), sighting_of_ref: d.refs[0], count: d.count, first_seen: time(d.firstSeen), last_seen: time(d.lastSeen) };
  }
}

/** The object that a draft becomes: a new one, or a new version of one. */
export function objectOf(d: Draft, now: Date, old?: Record<string, unknown>): Made {
  const members = membersOf(d);
  if (!old) return domainObject(d.kind, now, d.label, d.kind === 'report' ? { ...members, published: now.toISOString() } : members);
  const marked = domainObject(d.kind, now, d.label, {}).object_marking_refs;
  const others = (Array.isArray(old.object_marking_refs) ? (old.object_marking_refs as string[]) : []).filter((m) => !tlpIDs.has(m));
  return newVersion(old, now, { ...members, object_marking_refs: [...((marked as string[]) ?? []), ...others] });
}

const tlpIDs = new Set(Object.values(tlpMarkings));

/** A draft that begins with what an object says. */
export function draftOf(o: Record<string, unknown>, label: Choice): Draft | undefined {
  const kind = kinds.find((k) => k === o.type);
  if (!kind) return undefined;
  const text = (name: string) => (typeof o[name] === 'string' ? (o[name] as string) : '');
  const list = (name: string) => (Array.isArray(o[name]) ? (o[name] as string[]) : []);
  return {
    ...blank(),
    kind,
    title: kind === 'note' ? text('abstract') : text('name'),
    text: text(kind === 'note' ? 'content' : kind === 'opinion' ? 'explanation' : 'description'),
    types: list('report_types'),
    labels: list('labels').join(', '),
    refs: kind === 'sighting' ? [text('sighting_of_ref')] : list('object_refs'),
    sources: (Array.isArray(o.external_references) ? o.external_references : []) as Source[],
    confidence: typeof o.confidence === 'number' ? o.confidence : undefined,
    opinion: opinions.find((x) => x === o.opinion) ?? 'agree',
    count: typeof o.count === 'number' ? o.count : 1,
    firstSeen: text('first_seen').slice(0, 16),
    lastSeen: text('last_seen').slice(0, 16),
    label,
  };
}

/** Whether a TLP reaches fewer than another. */
export function stricter(tlp: string, than: string): boolean {
  const at = (x: string) => tlps.indexOf(x as (typeof tlps)[number]);
  return at(tlp) >= 0 && at(than) >= 0 && at(tlp) < at(than);
}
