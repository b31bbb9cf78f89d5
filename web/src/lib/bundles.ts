import type { components } from '$/api';

type Schemas = components['schemas'];
export type Book = Schemas['BundleBook'];
export type Bundle = Schemas['Bundle'];
export type Imported = Schemas['Imported'];
export type SealKey = Schemas['SealKey'];

export const begins = ['acknowledged', 'made', 'nothing'] as const;
export type Begins = (typeof begins)[number];

/** What is missing before a bundle: from the first of it to the last. */
export interface Gap {
  what: 'bundle' | 'keylog' | 'log';
  name: string;
  from: string;
  to: string;
}

const forms: [Gap['what'], RegExp][] = [
  ['bundle', /^bundle (\d+)(?: to (\d+))? of (.+) is missing$/],
  ['keylog', /^statement (\d+)(?: to (\d+))? of the key log of (.+) is missing$/],
  ['log', /^leaf (\d+)(?: to (\d+))? of log (\S+) is missing$/],
];

/** A gap as the node names it; undefined for what is said in other words. */
export function gapOf(said: string): Gap | undefined {
  for (const [what, form] of forms) {
    const [, from, to = from, name] = form.exec(said) ?? [];
    if (from && to && name) return { what, name, from, to };
  }
  return undefined;
}

/** Whether something is sealed to a key at that time. */
export function sealsTo(k: SealKey, at: number): boolean {
  return Date.parse(k.not_before) <= at && at < Date.parse(k.not_after);
}

/** What is in a text of words, as it is read out: how many there are. */
export function countWords(text: string): number {
  return text.split(/[^\p{L}]+/u).filter(Boolean).length;
}

/** The key of what to do about a bundle that was refused with that code. */
export const remedy = (code: string) => code.replace(/^bundle\./, 'bundle.do.');
