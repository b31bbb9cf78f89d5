/** The families of STIX objects, for their colours. */
export type Family = 'threat' | 'sight' | 'party' | 'text' | 'guard' | 'other';

const known: Record<string, [string, Family]> = {
  'attack-pattern': ['AP', 'threat'],
  campaign: ['CA', 'threat'],
  incident: ['IC', 'threat'],
  infrastructure: ['IF', 'threat'],
  'intrusion-set': ['IS', 'threat'],
  malware: ['MW', 'threat'],
  'malware-analysis': ['MA', 'text'],
  'threat-actor': ['TA', 'threat'],
  tool: ['TO', 'threat'],
  vulnerability: ['VU', 'threat'],
  indicator: ['IN', 'sight'],
  'observed-data': ['OD', 'sight'],
  sighting: ['SI', 'sight'],
  identity: ['ID', 'party'],
  location: ['LO', 'party'],
  report: ['RE', 'text'],
  note: ['NO', 'text'],
  opinion: ['OP', 'text'],
  grouping: ['GR', 'text'],
  'course-of-action': ['CO', 'guard'],
  'marking-definition': ['MD', 'guard'],
  relationship: ['RL', 'other'],
  'language-content': ['LC', 'other'],
  'extension-definition': ['EX', 'other'],
  'ipv4-addr': ['v4', 'sight'],
  'ipv6-addr': ['v6', 'sight'],
  'domain-name': ['DN', 'sight'],
  url: ['UR', 'sight'],
  file: ['FI', 'sight'],
  'email-addr': ['EA', 'sight'],
  'email-message': ['EM', 'sight'],
  'autonomous-system': ['AS', 'sight'],
  'x509-certificate': ['X5', 'sight'],
  'windows-registry-key': ['RK', 'sight'],
  'user-account': ['UA', 'sight'],
  'network-traffic': ['NT', 'sight'],
  'mac-addr': ['MC', 'sight'],
  software: ['SW', 'sight'],
  process: ['PR', 'sight'],
  mutex: ['MX', 'sight'],
  directory: ['DI', 'sight'],
  artifact: ['AR', 'sight'],
};

/** The types in the order in which they are offered. */
export const types = Object.keys(known);

/** Two letters that stand for a type. Those of types that are not of the standard are made of its last words: x-acme-data-source is DS. */
export function sigil(type: string): string {
  const own = known[type]?.[0];
  if (own) return own;
  const words = type.replace(/^x-/, '').split('-').filter(Boolean);
  const last = words.at(-1) ?? '?';
  return (words.length > 2 ? (words.at(-2) ?? '').slice(0, 1) + last.slice(0, 1) : last.slice(0, 2)).toUpperCase();
}

/** A type that has no name of its own, as people read it: x-acme-data-source is acme data source. */
export function spelled(type: string): string {
  return type.replace(/^x-/, '').replaceAll('-', ' ');
}

export function family(type: string): Family {
  return known[type]?.[1] ?? 'other';
}
