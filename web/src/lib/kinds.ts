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

/** Two letters that stand for a type. */
export function sigil(type: string): string {
  return known[type]?.[0] ?? type.replace(/^x-/, '').slice(0, 2).toUpperCase();
}

export function family(type: string): Family {
  return known[type]?.[1] ?? 'other';
}
