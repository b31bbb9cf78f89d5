import type { components } from '$/api';
import type { Tone } from './accord';
import { dayOf } from './day';

type Schemas = components['schemas'];
export type Detection = Schemas['Detection'];
export type DayCount = Schemas['DayCount'];
export type Mute = Schemas['Mute'];
export type Opined = Schemas['Opined'];
export type LeftOut = Schemas['LeftOut'];
export type DetectTable = Schemas['Table'];
export type Sensor = Schemas['SensorView'];
export type NewCode = Schemas['NewCode'];
export type Blocking = Schemas['Blocking'];
export type BlockFormat = Schemas['BlockFormat'];
export type Spared = Schemas['Spared'];

/** What a detection is known by: a sensor has one sum of a source on a day. */
export const detectionKey = (d: Pick<Detection, 'source' | 'sensor' | 'org' | 'day'>) => [d.source, d.sensor, d.org, d.day].join(' ');

const dayLong = 24 * 60 * 60 * 1000;

/** The first and the last of so many days (UTC) up to a time. */
export const daysUntil = (until: Date, days: number) => ({ first: dayOf(new Date(until.getTime() - (days - 1) * dayLong)), last: dayOf(until) });

/**
 * What is shown after the newest page was read again, and whether it goes on behind that page as it did: what grew takes the place of what it was, and the newest
 * stand first. Where so much came that nothing of the page was there before, what lies between is not known, and the page stands alone.
 */
export function renewed(shown: readonly Detection[], page: readonly Detection[], goesOn: boolean): { items: Detection[]; goesOn: boolean } {
  const was = new Map(shown.map((d) => [detectionKey(d), d.count]));
  const last = page[page.length - 1];
  // All of it fits on one page, and what is not on it any more is not there any more.
  if (!goesOn || !last || was.get(detectionKey(last)) !== last.count) return { items: [...page], goesOn: false };
  const there = new Set(page.map(detectionKey));
  return { items: [...page, ...shown.filter((d) => !there.has(detectionKey(d)))], goesOn: true };
}

export const sensorTones: Record<string, Tone> = { well: 'good', silent: 'bad', new: 'accent', revoked: 'plain' };

/** What somebody should look at about a sensor. */
export interface Sign {
  key: 'silent' | 'refused' | 'dropped' | 'expires' | 'spooled' | 'behind' | 'left' | 'unread';
  tone: 'bad' | 'warn';
  n?: number;
}

const soon = 3 * dayLong;

/** The signs of a sensor, the worst first. What is gone is worse than what waits. */
export function signs(s: Sensor, now: number): Sign[] {
  if (s.state === 'revoked' || s.state === 'new') return [];
  const out: Sign[] = [];
  const add = (key: Sign['key'], tone: Sign['tone'], n?: number) => { if (n === undefined || n > 0) out.push({ key, tone, n }); };
  if (s.state === 'silent') add('silent', 'bad');
  add('refused', 'bad', s.refused);
  add('dropped', 'bad', s.dropped);
  if (s.expires && Date.parse(s.expires) - now < soon) add('expires', 'bad');
  add('spooled', 'warn', s.spooled);
  add('behind', 'warn', s.behind);
  add('left', 'warn', s.left);
  add('unread', 'warn', s.unread);
  return out;
}

/** The address of a sensor's page. */
export const sensorPath = (id: string) => '/app/sensors/' + encodeURIComponent(id);

/** A text as one word of a POSIX shell. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** What is typed at the sensor, so that it is known to its node, and runs. */
export function enrolCommands(node: string, code: string): string {
  const dir = '/var/lib/entente-sensor';
  return `entente sensor enrol --data ${dir} ${word(node)} ${word(code)}\nentente sensor run --data ${dir}`;
}

/** The end of the name of a file in a format. */
const ends: Record<string, string> = { rpz: '.zone', nft: '.nft', suricata: '.rules', snort: '.rules', zeek: '.intel', json: '.json', csv: '.csv', sigma: '.yml' };
export const blockFile = (format: string) => format + (ends[format] ?? '.txt');

/** What an enforcement point runs now and then: it takes only what the node signed, and what is fresh. */
export function fetchCommands(node: string, format: string): string {
  const file = blockFile(format);
  return `entente block ${format} --server ${word(node)} --ca ca.pem --token-file token --out ${file}.new\nentente block verify ${file}.new --card node.card && mv ${file}.new ${file}`;
}

const reload = 'suricatasc -c ruleset-reload-nonblocking';
const loads: Record<string, string> = {
  rpz: 'options { response-policy { zone "rpz.entente.invalid"; }; };\nzone "rpz.entente.invalid" { type primary; file "rpz.zone"; allow-query { none; }; };\n\nrndc reload rpz.entente.invalid',
  hosts: 'addn-hosts=/etc/dnsmasq.d/hosts.txt\n\nsystemctl reload dnsmasq',
  nft: 'table inet entente {\n  chain out {\n    type filter hook forward priority -10;\n    ip daddr @block4 counter drop\n    ip6 daddr @block6 counter drop\n  }\n}\n\nnft -f nft.nft',
  suricata: 'rule-files:\n  - /etc/suricata/rules/suricata.rules\n\n' + reload,
  'suricata-domains': 'drop dns any any -> any any (msg:"blocked name"; dns.query; dataset:isset,names,type string,load suricata-domains.txt; sid:1000001;)\n\n' + reload,
  'suricata-ip': 'drop ip any any -> any any (msg:"blocked address"; ip.dst; dataset:isset,ips,type ip,load suricata-ip.txt; sid:1000002;)\n\n' + reload,
  'suricata-md5': 'drop http any any -> any any (msg:"blocked file"; filemd5:suricata-md5.txt; sid:1000004;)\n\n' + reload,
  'suricata-sha256': 'drop http any any -> any any (msg:"blocked file"; filesha256:suricata-sha256.txt; sid:1000003;)\n\n' + reload,
  snort: 'include /etc/snort/rules/snort.rules\n\nkill -HUP "$(pidof snort)"',
  zeek: 'redef Intel::read_files += { "/path/zeek.intel" };',
  squid: 'acl blocked_names dstdomain -n "/etc/squid/squid.txt"\nhttp_access deny blocked_names\n\nsquid -k reconfigure',
  'squid-addresses': 'acl blocked_addresses dst -n "/etc/squid/squid-addresses.txt"\nhttp_access deny blocked_addresses\n\nsquid -k reconfigure',
  'squid-urls': 'acl blocked_pages url_regex "/etc/squid/squid-urls.txt"\nhttp_access deny blocked_pages\n\nsquid -k reconfigure',
  sigma: 'entente detect --rules sigma.yml logs/',
};
/** How a program loads a file in a format; undefined where that is its own matter. */
export const loadLine = (format: string): string | undefined => loads[format];

/** Whether an entry of what is not blocked is about a value that somebody typed: the value, a part of it, or the id of its object. What is left out as a whole names no value: of says which objects have it. */
export function isAbout(s: Pick<Spared, 'id' | 'value'>, typed: string, of: ReadonlySet<string> = new Set()): boolean {
  const want = refang(typed).toLowerCase();
  return want !== '' && (s.id.toLowerCase() === want || (s.value ?? '').toLowerCase().includes(want) || (!s.value && of.has(s.id)));
}

/** A value as it is, of one that was made harmless to be written down. */
export function refang(typed: string): string {
  return typed.trim().replaceAll('[.]', '.').replaceAll('[:]', ':').replace(/^hxxp/i, 'http');
}
