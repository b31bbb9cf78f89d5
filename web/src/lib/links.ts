import type { components } from '$/api';
import type { Link, Tone } from './accord';

type Schemas = components['schemas'];
export type Accusation = Schemas['Accusation'];
export type Verified = Schemas['ApiProofFinding'];

/** How a connection is, the worst first. */
export const linkStates = ['accused', 'down', 'behind', 'untried', 'calls', 'up'] as const;
export type LinkState = (typeof linkStates)[number];

/** The state of a connection: what was proved against a nation weighs more than whether its node answers. */
export function linkState(l: Link): LinkState {
  if (l.fork || l.proof) return 'accused';
  if (!l.up) return !l.address ? 'calls' : l.since ? 'down' : 'untried';
  return l.behind || l.stale ? 'behind' : 'up';
}

export const linkTones: Record<LinkState, Tone> = { accused: 'bad', down: 'bad', behind: 'warn', untried: 'plain', calls: 'plain', up: 'good' };

/** Since when what comes from a nation lags: it was down, or others have more of its logs, or a log stands still unsigned. */
export function lagSince(l: Link): string | undefined {
  const since = [l.behind, l.stale, linkState(l) === 'down' ? l.since : undefined].filter((x) => x !== undefined);
  return since.sort((a, b) => Date.parse(a) - Date.parse(b))[0];
}

/** Something about a partner that somebody should look at. */
export interface Alarm {
  nation: string;
  org: string;
  kind: 'proof' | 'fork' | 'behind' | 'stale' | 'down';
  tone: 'bad' | 'warn';
  since?: string;
  /** Id of the proof, where one weighs. */
  proof?: string;
}

/** What links tell that somebody should look at, the worst first. */
export function alarms(links: readonly Link[]): Alarm[] {
  const out: Alarm[] = [];
  for (const l of links) {
    const who = { nation: l.nation, org: l.org };
    if (l.proof) out.push({ ...who, kind: 'proof', tone: 'bad', proof: l.proof });
    else if (l.fork) out.push({ ...who, kind: 'fork', tone: 'bad' });
    if (l.behind) out.push({ ...who, kind: 'behind', tone: 'bad', since: l.behind });
    if (l.stale) out.push({ ...who, kind: 'stale', tone: 'warn', since: l.stale });
    if (linkState(l) === 'down') out.push({ ...who, kind: 'down', tone: 'warn', since: l.since });
  }
  const order: Alarm['kind'][] = ['proof', 'fork', 'behind', 'stale', 'down'];
  return out.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || a.nation.localeCompare(b.nation));
}

export interface Place {
  x: number;
  y: number;
}

const most = 14; // nodes of one ring whose names do not meet

/** Where partners stand around the own node in a picture of that size, in their order, from the top with the clock. Many stand in rings, the outer ones with more places. */
export function around(n: number, width: number, height: number, margin = 56): Place[] {
  const rings = Math.max(1, Math.ceil(n / most));
  const out: Place[] = [];
  const sizes: number[] = [];
  for (let r = rings, left = n; r >= 1; r--) {
    const here = r === 1 ? left : Math.round((n * 2 * r) / (rings * (rings + 1)));
    sizes.push(Math.min(here, left));
    left -= Math.min(here, left);
  }
  sizes.forEach((size, i) => {
    const part = (rings - i * 0.85) / rings;
    for (let k = 0; k < size; k++) {
      const turn = (2 * Math.PI * (k + (i % 2) / 2)) / size - (n === 2 ? Math.PI : Math.PI / 2); // two stand beside it, since pictures are wider than high
      out.push({ x: Math.round(width / 2 + Math.cos(turn) * part * (width / 2 - margin)), y: Math.round(height / 2 + Math.sin(turn) * part * (height / 2 - margin)) });
    }
  });
  return out;
}
