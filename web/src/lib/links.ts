import type { components } from '$/api';
import type { Link, Tone } from './accord';

type Schemas = components['schemas'];
export type Accusation = Schemas['Accusation'];
export type Verified = Schemas['ApiProofFinding'];
/** An alarm as the node tells it. */
export type Told = Schemas['Alarm'];
export type RelayState = Schemas['RelayState'];
export type Relay = RelayState['relays'][number];

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

/** How a relay is: what was proved against it weighs more than that it keeps something back, and that more than whether it answers. */
export function relayState(r: Relay): LinkState {
  if (r.proof) return 'accused';
  if (!r.up) return r.since ? 'down' : 'untried';
  return r.behind ? 'behind' : 'up';
}

/** Since when a relay keeps something back, or does not answer. */
export function relayLag(r: Relay): string | undefined {
  return r.behind ?? (relayState(r) === 'down' ? r.since : undefined);
}

/** Kinds of alarms, the worst first. */
export const kinds = ['accused', 'proof', 'forked', 'conflict', 'withheld', 'behind', 'carrier', 'sensor', 'stale', 'overdue', 'queue', 'refused', 'clock', 'down', 'unreached'] as const;
export type Kind = (typeof kinds)[number];
const bad: readonly Kind[] = ['accused', 'proof', 'forked', 'conflict', 'withheld', 'behind', 'carrier', 'sensor'];

/** Something about a partner, a relay or an own sensor that somebody should look at. */
export interface Alarm {
  nation: string;
  kind: Kind;
  tone: 'bad' | 'warn';
  since?: string;
  /** Id of the proof, where one weighs. */
  proof?: string;
  /** Name of the own sensor that it is about. */
  sensor?: string;
  /** In the words of the node. */
  text?: string;
}

/** What somebody should look at, the worst first: what the node says, nodes that do not answer, and relays that keep something back. */
export function alarms(links: readonly Link[], told: readonly Told[], relays: readonly Relay[] = []): Alarm[] {
  const out: Alarm[] = [];
  const add = (nation: string, kind: Kind, more: Partial<Alarm> = {}) => out.push({ nation, kind, tone: bad.includes(kind) ? 'bad' : 'warn', ...more });
  for (const a of told) add(a.nation, a.kind, { since: a.since, proof: a.proof, sensor: a.sensor, text: a.text });
  for (const l of links) if (l.fork && !out.some((a) => a.nation === l.nation && (a.kind === 'proof' || a.kind === 'forked'))) add(l.nation, 'forked');
  for (const l of links) if (linkState(l) === 'down') add(l.nation, 'down', { since: l.since });
  for (const r of relays) {
    if (r.proof && !out.some((a) => a.proof === r.proof)) add(r.nation, 'withheld', { proof: r.proof });
    if (r.behind) add(r.nation, 'carrier', { since: r.behind });
    else if (relayState(r) === 'down' && !out.some((a) => a.nation === r.nation && a.kind === 'down')) add(r.nation, 'unreached', { since: r.since });
  }
  return out.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || a.nation.localeCompare(b.nation));
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
