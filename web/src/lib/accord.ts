import type { components } from '$/api';

type Schemas = components['schemas'];
export type Accord = Schemas['View'];
export type AccordPage = Schemas['AccordPage'];
export type Review = Schemas['AccordReview'];
export type Draft = Schemas['AccordText'];
export type Sentence = Schemas['Sentence'];
export type Change = Schemas['Change'];
export type Judged = Schemas['Judged'];
export type Given = Schemas['Given'];
export type Answer = Schemas['Answer'];
export type Release = Schemas['Release'];
export type Link = Schemas['Health'];
export type Peer = Schemas['Peer'];
export type KeyBook = Schemas['KeyBook'];

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'accent';

/** What a new accord can give. */
export const gives = ['indicators', 'sightings', 'incidents', 'papers'] as const;
export type Give = (typeof gives)[number];

/** The forms of new accords: for how many parties, and what is usually given. */
export const forms = {
  bilateral: { least: 2, most: 2, gives: ['indicators', 'sightings', 'incidents'] },
  trilateral: { least: 3, most: 3, gives: ['indicators', 'sightings', 'incidents'] },
  alliance: { least: 2, most: 64, gives: ['indicators', 'sightings', 'incidents'] },
  meeting: { least: 2, most: 64, gives: ['papers'] },
} as const satisfies Record<string, { least: number; most: number; gives: readonly Give[] }>;
export type Form = keyof typeof forms;

/** Whether parties are missing for a form, or there are too many. */
export function nearly(form: Form, parties: number): 'few' | 'many' | undefined {
  if (parties < forms[form].least) return 'few';
  return parties > forms[form].most ? 'many' : undefined;
}

/** The codes of nations in what somebody wrote, each once. */
export function nationsOf(text: string): string[] {
  return [...new Set(text.toUpperCase().split(/[^A-Z]+/).filter(Boolean))];
}

/** What an accord between these may be called, when some names are taken. */
export function suggested(parties: readonly string[], taken: readonly string[] = []): string {
  if (parties.length < 2 || parties.length > 3) return '';
  const name = parties.map((p) => p.toLowerCase()).join('-');
  for (let n = 1; n <= taken.length; n++) {
    const one = n === 1 ? name : `${name}-${n}`;
    if (!taken.includes(one)) return one;
  }
  return taken.includes(name) ? `${name}-${taken.length + 1}` : name;
}

/** How a phase of an accord is to be looked at. */
export function phaseTone(phase: string): Tone {
  return ({ active: 'good', suspended: 'bad', proposed: 'warn', signed: 'accent' } as Record<string, Tone>)[phase] ?? 'plain';
}

export const verbs = ['suspend', 'resume', 'terminate', 'withdraw'] as const;
export type Verb = (typeof verbs)[number];

/** What a party can say of an accord in that phase. */
export function sayable(phase: string): Verb[] {
  if (phase === 'active') return ['suspend', 'terminate', 'withdraw'];
  return phase === 'suspended' ? ['resume', 'terminate', 'withdraw'] : [];
}

/** The versions of a list by the name of their accord, the names in order and the highest version of each first. */
export function byName<T extends { name: string; version: number }>(all: readonly T[]): T[][] {
  const names = new Map<string, T[]>();
  for (const a of all) names.set(a.name, [...(names.get(a.name) ?? []), a]);
  return [...names.keys()].sort().map((n) => (names.get(n) ?? []).sort((a, b) => b.version - a.version));
}

/** The address of an accord's page; without a version that of the highest. */
export function accordPath(name: string, version?: number): string {
  return '/app/accords/' + encodeURIComponent(name) + (version ? '?version=' + version : '');
}

/** An organisation as people read it: "KWT/kw.ncsc", or "org:KWT/kw.ncsc", is kw.ncsc (KWT). */
export function partyName(party: string): string {
  const [nation = '', ...org] = party.replace(/^org:/, '').split('/');
  return org.length ? `${org.join('/')} (${nation})` : nation;
}

/** The organisations that signed for a party; one that the text does not name is the one that the nation's key log names. */
export function signers(p: { org?: string; who?: readonly string[] }): string[] {
  return (p.who ?? []).map((w) => w || (p.org ?? '')).filter(Boolean);
}

/** The text that lies behind base64, byte for byte as UTF-8. */
export function textOf(base64: string | undefined): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64 ?? ''), (c) => c.charCodeAt(0)));
}

/** Something that stands one clause after the other. */
export interface Clause<T> {
  name: string;
  items: T[];
}

/** What belongs to one clause together, in the order in which clauses come. */
export function byClause<T extends { clause?: string }>(all: readonly T[]): Clause<T>[] {
  const out: Clause<T>[] = [];
  for (const x of all) {
    const name = x.clause ?? '';
    const there = out.find((c) => c.name === name);
    if (there) there.items.push(x);
    else out.push({ name, items: [x] });
  }
  return out;
}

/** A fingerprint's words by rows of four, as two people read them to each other. */
export function rows(words: string): string[][] {
  const all = words.split(/\s+/).filter(Boolean);
  return Array.from({ length: Math.ceil(all.length / 4) }, (_, i) => all.slice(i * 4, i * 4 + 4));
}

/** How far what was heard is the same as a fingerprint's words: how many of them, and where the first differs. */
export interface Compared {
  same: number;
  of: number;
  done: boolean;
  wrong?: 'code' | { place: number; heard: string; here: string };
}

/** Compares what somebody wrote down (words, or their first four letters, which tell every word), the text of a code (ENTENTE:NATION:HEX) or the digits in hex with a nation's fingerprint. The last word may still be being written. */
export function compared(nation: string, words: string, fingerprint: string, heard: string): Compared {
  const here = words.toLowerCase().split(/\s+/).filter(Boolean);
  const of = here.length;
  const text = heard.trim();
  const digits = text.replace(/\s/g, '');
  if (/^entente:/i.test(text) || /^[0-9a-f]{64}$/i.test(digits)) {
    const is = [`ENTENTE:${nation}:${fingerprint}`, fingerprint].some((f) => f.toUpperCase() === digits.toUpperCase());
    return is ? { same: of, of, done: true } : { same: 0, of, done: false, wrong: 'code' };
  }
  const there = text.toLowerCase().split(/[^a-z]+/).filter(Boolean);
  const ended = heard !== heard.trimEnd();
  const is = (word: string, i: number) => word === here[i] || (word.length >= 4 && (here[i] ?? '').startsWith(word));
  for (const [i, word] of there.entries()) {
    const open = i === there.length - 1 && !ended && (here[i] ?? '').startsWith(word);
    if (!is(word, i) && !open) return { same: i, of, done: false, wrong: { place: i + 1, heard: word, here: here[i] ?? '–' } };
  }
  const same = there.filter(is).length;
  return { same, of, done: of > 0 && same === of && there.length === of };
}

/** The text of the version after this one, to be edited: its number is one higher and it says what it supersedes. */
export function amended(text: string, version: number, digest: string): string {
  const lines = text.split('\n').filter((l) => !/^ {2}supersedes\s*=/.test(l));
  const at = lines.findIndex((l) => /^ {2}version\s*=/.test(l));
  if (at < 0) return text;
  lines.splice(at, 1, `  version    = ${version + 1}`, `  supersedes = "${digest}"`);
  return lines.join('\n');
}

/** Where a line and a column of a text are, as an offset. Both count from 1. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const before = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  return Math.min(before + [...(lines[line - 1] ?? '')].slice(0, Math.max(0, column - 1)).join('').length, text.length);
}

/** What a release officer runs on the own machine to sign a release of the node at that address with a key of its own. */
export function signCommand(key: string, node: string): string {
  const quoted = (s: string) => "'" + s.replaceAll("'", "'\\''") + "'";
  return `entente release sign ${quoted(key)} --server ${quoted(node)} --token-file token --signing-key officer.key --passphrase-file phrase`;
}
