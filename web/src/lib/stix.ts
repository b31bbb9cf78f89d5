import type { Choice } from './choice';

/** A STIX 2.1 object that is made here. */
export interface Made {
  type: string;
  spec_version: '2.1';
  id: string;
  [member: string]: unknown;
}

/** A value as the node finds it in a text. */
export interface Value {
  kind: string;
  value: string;
  pattern: string;
}

// The name space of the ids of cyber-observable objects (STIX 2.1 section 2.9).
const namespace = '00abedb4-aa42-466c-9c01-fed23315a9b7';

// The properties that contribute to an id (STIX 2.1 chapter 6), of the types that are made here.
const contributing: Record<string, readonly string[]> = {
  'domain-name': ['value'],
  'email-addr': ['value'],
  file: ['extensions', 'hashes', 'name', 'parent_directory_ref'],
  'ipv4-addr': ['value'],
  'ipv6-addr': ['value'],
  'mac-addr': ['value'],
  mutex: ['name'],
  'network-traffic': ['dst_port', 'dst_ref', 'end', 'extensions', 'protocols', 'src_port', 'src_ref', 'start'],
  url: ['value'],
  'windows-registry-key': ['key', 'values'],
};

const hashPreference = ['MD5', 'SHA-1', 'SHA-256', 'SHA-512'];

/** UUID version 5 (RFC 9562 section 5.5): of a name in a name space, always the same. */
export async function uuid5(space: string, name: string): Promise<string> {
  const hex = space.replaceAll('-', '');
  const text = new TextEncoder().encode(name);
  const all = new Uint8Array(16 + text.length);
  for (let i = 0; i < 16; i++) all[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  all.set(text, 16);
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-1', all)).slice(0, 16);
  sum[6] = ((sum[6] ?? 0) & 0x0f) | 0x50;
  sum[8] = ((sum[8] ?? 0) & 0x3f) | 0x80;
  const s = [...sum].map((b) => b.toString(16).padStart(2, '0')).join('');
  return `${s.slice(0, 8)}-${s.slice(8, 12)}-${s.slice(12, 16)}-${s.slice(16, 20)}-${s.slice(20)}`;
}

/** JSON in canonical form (RFC 8785), of values that JSON can hold. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return '[' + value.map(canonical).join(',') + ']';
  if (value && typeof value === 'object') {
    const members = Object.entries(value).filter(([, v]) => v !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : 1)); // by UTF-16 code units, as strings compare here
    return '{' + members.map(([k, v]) => JSON.stringify(k) + ':' + canonical(v)).join(',') + '}';
  }
  return JSON.stringify(value);
}

/** The id of a cyber-observable object: the same for the same value, whoever makes it (STIX 2.1 section 2.9). */
export async function observableID(type: string, members: Record<string, unknown>): Promise<string> {
  const name: Record<string, unknown> = {};
  for (const p of contributing[type] ?? []) {
    if (members[p] === undefined) continue;
    name[p] = p === 'hashes' ? oneHash(members[p] as Record<string, string>) : members[p];
  }
  if (!Object.keys(name).length) return `${type}--${crypto.randomUUID()}`;
  return `${type}--${await uuid5(namespace, canonical(name))}`;
}

function oneHash(hashes: Record<string, string>): Record<string, string> {
  const name = hashPreference.find((n) => n in hashes) ?? Object.keys(hashes).sort()[0];
  return name === undefined ? {} : { [name]: hashes[name] ?? '' };
}

async function observable(type: string, members: Record<string, unknown>): Promise<Made> {
  return { type, spec_version: '2.1', id: await observableID(type, members), ...members };
}

const hashNames: Record<string, string> = { md5: 'MD5', sha1: 'SHA-1', sha256: 'SHA-256', sha512: 'SHA-512' };

/** The observable of a value, after what it refers to; nothing for what cannot be observed, such as a vulnerability. */
export async function observables(v: Value): Promise<Made[]> {
  const hash = hashNames[v.kind];
  if (hash) return [await observable('file', { hashes: { [hash]: v.value } })];
  switch (v.kind) {
    case 'ipv4':
    case 'ipv6':
      return [await observable(v.kind + '-addr', { value: v.value })];
    case 'domain':
      return [await observable('domain-name', { value: v.value })];
    case 'url':
      return [await observable('url', { value: v.value })];
    case 'email':
      return [await observable('email-addr', { value: v.value })];
    case 'mac':
      return [await observable('mac-addr', { value: v.value })];
    case 'mutex':
      return [await observable('mutex', { name: v.value })];
    case 'file-name':
      return [await observable('file', { name: v.value })];
    case 'registry-key':
      return [await observable('windows-registry-key', { key: v.value })];
    case 'ip-port': {
      const at = /^\[?([^\]]+?)\]?:(\d+)$/.exec(v.value);
      if (!at) return [];
      const kind = at[1]?.includes(':') ? 'ipv6' : 'ipv4';
      const address = await observable(kind + '-addr', { value: at[1] });
      return [address, await observable('network-traffic', { dst_ref: address.id, dst_port: Number(at[2]), protocols: [kind] })];
    }
  }
  return [];
}

/** A time as STIX 2.1 section 3.14 writes it, with milliseconds. */
export function timestamp(d: Date): string {
  return d.toISOString();
}

/** The ids of the TLP 2.0 marking definitions, which everybody knows. */
export const tlpMarkings: Record<string, string> = {
  'TLP:CLEAR': 'marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487',
  'TLP:GREEN': 'marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb',
  'TLP:AMBER': 'marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421',
  'TLP:AMBER+STRICT': 'marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003',
  'TLP:RED': 'marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1',
};

/** The head of a domain or relationship object, with a new random id (STIX 2.1 section 3.2). */
export function domainObject(type: string, now: Date, label: Choice, members: Record<string, unknown>): Made {
  const at = timestamp(now);
  const marking = tlpMarkings[label.tlp];
  return drop({
    type,
    spec_version: '2.1',
    id: `${type}--${crypto.randomUUID()}`,
    created: at,
    modified: at,
    ...members,
    object_marking_refs: marking ? [marking] : undefined,
  });
}

/** A new version of an object that was made here before (STIX 2.1 section 3.6): what is not given is taken over, and the time moves on. */
export function newVersion(old: Record<string, unknown>, now: Date, members: Record<string, unknown>): Made {
  const before = new Date(String(old.modified)).getTime();
  const at = new Date(Number.isNaN(before) ? now.getTime() : Math.max(now.getTime(), before + 1));
  return drop<Made>({ ...(old as Made), ...members, modified: timestamp(at) });
}

/** Takes out what is empty: STIX 2.1 section 3.1 forbids empty lists and texts say nothing. */
export function drop<T extends Record<string, unknown>>(o: T): T {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined && v !== '' && !(Array.isArray(v) && v.length === 0))) as T;
}

/** What shall become of the values of a text. */
export interface Plan {
  indicators: boolean;
  observables: boolean;
  report: boolean;
  name: string;
  description: string;
  /** 0 to 100; undefined: not stated. */
  confidence: number | undefined;
  /** An indicator type (STIX 2.1 section 10.10). */
  kind: string;
  validFrom: Date;
  /** undefined: for ever. */
  validUntil: Date | undefined;
  label: Choice;
}

/** Ids of objects that are here already, by kind and value: they are named, not made again. */
export type Here = ReadonlyMap<string, string>;

export const hereKey = (v: Pick<Value, 'kind' | 'value'>) => v.kind + ' ' + v.value;

/** The objects that the values become by the plan, what is referred to before what refers to it. */
export async function build(values: readonly Value[], plan: Plan, now: Date, here: Here = new Map()): Promise<Made[]> {
  const made = new Map<string, Made>();
  const named = new Set<string>();
  const add = (o: Made) => {
    made.set(o.id, o);
    named.add(o.id);
  };
  for (const v of values) {
    if (v.kind === 'vulnerability' || v.kind === 'attack-pattern') {
      const known = here.get(hereKey(v));
      if (known) named.add(known);
      else add(cited(v, plan, now));
      continue;
    }
    if (plan.indicators && v.pattern) {
      add(
        domainObject('indicator', now, plan.label, {
          name: v.value,
          description: plan.report ? undefined : plan.description,
          indicator_types: plan.kind ? [plan.kind] : undefined,
          pattern: v.pattern,
          pattern_type: 'stix',
          valid_from: timestamp(plan.validFrom),
          valid_until: plan.validUntil && timestamp(plan.validUntil),
          confidence: plan.confidence,
        }),
      );
    }
    if (plan.observables) for (const o of await observables(v)) add(o);
  }
  if (plan.report && named.size) {
    const report = domainObject('report', now, plan.label, {
      name: plan.name,
      description: plan.description,
      report_types: ['threat-report'],
      published: timestamp(now),
      object_refs: [...named],
      confidence: plan.confidence,
    });
    made.set(report.id, report);
  }
  return [...made.values()];
}

/** A vulnerability or technique that a text cites by its number. */
function cited(v: Value, plan: Plan, now: Date): Made {
  const source = v.kind === 'vulnerability' ? 'cve' : 'mitre-attack';
  return domainObject(v.kind, now, plan.label, { name: v.value, external_references: [{ source_name: source, external_id: v.value }] });
}

/** A bundle of objects, to save or to send. */
export function bundle(objects: readonly Made[]): string {
  return JSON.stringify({ type: 'bundle', id: `bundle--${crypto.randomUUID()}`, objects });
}
