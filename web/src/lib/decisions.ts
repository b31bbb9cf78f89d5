import type { components } from '$/api';
import type { Sentence, Tone } from './accord';

type Schemas = components['schemas'];
export type Decision = Schemas['DecisionsView'];
export type Meaning = Schemas['Meaning'];
export type Verdict = Schemas['Verdict'];
export type State = Decision['state'];
export type Statement = Decision['said'][number];

export const choices = ['consent', 'veto', 'abstain', 'reservation'] as const;
export type Choice = (typeof choices)[number];

/** Whether what was said can never be taken back. */
export function final(choice: string | undefined): boolean {
  return choice === 'consent' || choice === 'veto';
}

/** How a state of a decision is to be looked at. */
export function stateTone(state: string): Tone {
  return ({ seeking: 'accent', open: 'accent', counting: 'warn', decided: 'warn', started: 'warn', executed: 'good', refused: 'bad', rejected: 'bad', unusable: 'bad' } as Record<string, Tone>)[state] ?? 'plain';
}

/** What is done with the text of an accord that parties sign: the first one, or a later version; undefined for what is proposed by a rule. */
export function signing(d: Decision): 'ratify' | 'amend' | undefined {
  const a = d.what.action;
  return a?.type === 'accord' && (a.do === 'ratify' || a.do === 'amend') ? a.do : undefined;
}

/** What waits for this organisation: that it says something, seconds, or reports what it did. */
export function waits(d: Decision): 'say' | 'second' | 'report' | undefined {
  if (d.second) return 'second';
  if (d.mine) return 'say';
  return d.state === 'started' || (d.state === 'decided' && !d.executes) ? 'report' : undefined;
}

/** The decisions of a list by what is to be done: to take now, the most urgent first; under way; over, the latest first. */
export function byUrgency(all: readonly Decision[]): { now: Decision[]; under: Decision[]; over: Decision[] } {
  const until = (d: Decision) => Date.parse(d.what.deadline);
  const soonest = (a: Decision, b: Decision) => until(a) - until(b);
  const mine = all.filter((d) => waits(d));
  const rest = all.filter((d) => !waits(d));
  const running = ['seeking', 'open', 'counting', 'decided'];
  return {
    now: mine.sort(soonest),
    under: rest.filter((d) => running.includes(d.state)).sort(soonest),
    over: rest.filter((d) => !running.includes(d.state)).sort((a, b) => until(b) - until(a)),
  };
}

/** What a sentence says about a rule, without the rule's name before it. */
export function plain(sentence: string): string {
  const text = sentence.replace(/^[^:]{1,80}: /, '');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The sentences of one rule of an accord, in the language that the accord was read in. */
export function ruleOf(sentences: readonly Sentence[], rule: string): string[] {
  return sentences.filter((s) => s.clause === `decide ${rule}`).map((s) => plain(s.text));
}

/** The rules of an accord by which something can be decided. */
export function rulesOf(sentences: readonly Sentence[]): string[] {
  return [...new Set(sentences.flatMap((s) => (s.clause?.startsWith('decide ') ? [s.clause.slice(7)] : [])))];
}

/** The last position of each party, with what else it said: who is quiet stands there, too. */
export interface Party {
  nation: string;
  votes: boolean;
  said?: Statement;
  acked?: Statement;
  report?: Statement;
}

export function parties(d: Decision): Party[] {
  const names = [...new Set([...(d.voters ?? []), ...(d.what.subject ?? []), ...d.said.map((s) => s.nation)])].sort();
  const last = (nation: string, kind: string) => d.said.filter((s) => s.nation === nation && s.kind === kind).at(-1);
  return names.map((nation) => ({ nation, votes: !!d.voters?.includes(nation), said: last(nation, 'position'), acked: last(nation, 'ack'), report: last(nation, 'report') }));
}

/** What a form of a proposal asks for. */
export interface Wish {
  accord: string;
  rule: string;
  title: string;
  action?: { type: string; do: string; media?: string; body?: string };
  subject?: string[];
  affected?: string[];
  evidence?: string[];
  deadline?: string;
  instead?: string;
}

/** Bytes of a text in base64. */
export function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** The digests in what somebody wrote, each with its name of the sum, and each once. */
export function digests(text: string): string[] {
  const all = text.toLowerCase().split(/[\s,;]+/).filter(Boolean);
  return [...new Set(all.map((d) => (/^[0-9a-f]{64}$/.test(d) ? 'sha256:' + d : d)))];
}

/** The address of a decision's page. */
export const decisionPath = (id: string) => '/app/decisions/' + encodeURIComponent(id);
