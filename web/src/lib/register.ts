import type { components } from '$/api';

type Schemas = components['schemas'];
export type Constituent = Schemas['Constituent'];
export type Contact = Schemas['ConstituentContact'];
export type Hours = Schemas['DutyHours'];
export type Kept = Schemas['KeptConstituent'];
export type Review = Schemas['RegisterReview'];
export type Match = Schemas['ConstituentMatch'];

export const criticalities = ['low', 'medium', 'high', 'vital'] as const;
export const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** The sectors of STIX 2.1 section 10.11. */
export const sectors = ['agriculture', 'aerospace', 'automotive', 'chemical', 'commercial', 'communications', 'construction', 'defense', 'education', 'energy', 'entertainment', 'financial-services', 'government', 'emergency-services', 'government-local', 'government-national', 'government-public-services', 'government-regional', 'healthcare', 'hospitality-leisure', 'infrastructure', 'dams', 'nuclear', 'water', 'insurance', 'manufacturing', 'mining', 'non-profit', 'pharmaceuticals', 'retail', 'technology', 'telecommunications', 'transportation', 'utilities'] as const;

/** The lists of things of a constituent that are written as rows, and their members. */
export const tables = {
  networks: [['range', 'text', true], ['name', 'text'], ['site', 'text'], ['criticality', 'criticality'], ['shared', 'check']],
  domains: [['name', 'text', true], ['include_subdomains', 'check'], ['criticality', 'criticality'], ['shared', 'check']],
  certificates: [['sha256', 'text'], ['serial', 'text'], ['issuer', 'text'], ['subject', 'text']],
  software: [['cpe', 'text'], ['purl', 'text'], ['vendor', 'text'], ['product', 'text'], ['version', 'text'], ['criticality', 'criticality'], ['count', 'number']],
} as const satisfies Record<string, readonly (readonly [string, 'text' | 'check' | 'criticality' | 'number', true?])[]>;
export type TableName = keyof typeof tables;
export type Row = Record<string, string | number | boolean | undefined>;

/** The address of a constituent's page. */
export function constituentPath(id: string): string {
  return '/app/constituents/' + encodeURIComponent(id);
}

/** Takes out what is empty, in depth: texts, lists, false and objects without members. */
export function filled(value: unknown): unknown {
  if (Array.isArray(value)) {
    const list = value.map(filled).filter((v) => v !== undefined);
    return list.length ? list : undefined;
  }
  if (value && typeof value === 'object') {
    const members = Object.entries(value).map(([k, v]) => [k, filled(v)] as const).filter(([, v]) => v !== undefined);
    return members.length ? Object.fromEntries(members) : undefined;
  }
  if (typeof value === 'string') return value.trim() || undefined;
  return value === false || value === null || Number.isNaN(value) ? undefined : value;
}

/** Duty hours as one line a day, of the days that have any. */
export function hoursOf(h: Hours): { day: (typeof days)[number]; spans: string }[] {
  return days.flatMap((day) => (h[day] ? [{ day, spans: h[day].replaceAll(',', ', ').replaceAll('-', '–') }] : []));
}
