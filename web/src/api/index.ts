import { call, type Ask, type Query } from './http';
import type { components } from './schema';

export { aborted, call, offline, passing, query, refusal, Refusal, send, type Ask, type Problem, type Query } from './http';

export type { components };

type Schemas = components['schemas'];
export type Me = Schemas['Me'];
export type Label = Schemas['Label'];
export type Origin = Schemas['Origin'];
export type StixObject = { id?: string; type?: string; [member: string]: unknown };
export type Entry = Omit<Schemas['Object'], 'object'> & { object?: StixObject };
export type Explanation = Schemas['Explanation'];
export type Decision = Schemas['Decision'];
export type Holding = Schemas['Holding'];
export type Act = Schemas['Act'];
export type Feed = Schemas['Feed'];
export type Neighbour = Schemas['Neighbour'];
export type Held = Schemas['Held'];
export type PurgeReport = Schemas['PurgeReport'];
export type Collection = Schemas['CollectionView'];
export type Org = Schemas['Org'];
export type Build = Schemas['Info'];

/** One page of a list; without next it was the last. */
export interface Page<T> {
  items: T[];
  next?: string;
}

const root = '/api/v1';

/** Calls of the native interface. Paths are below /api/v1; ids and names go through at(). */
export const api = {
  get: <T>(path: string, q?: Query, signal?: AbortSignal) => call<T>(root + path, { query: q, signal }),
  page: <T>(path: string, q?: Query, signal?: AbortSignal) => call<Page<T>>(root + path, { query: q, signal }),
  /** Makes something, once however often it is asked. */
  make: <T>(path: string, json: unknown) => call<T>(root + path, { method: 'POST', json, once: true }),
  post: <T>(path: string, ask: Ask = {}) => call<T>(root + path, { method: 'POST', ...ask }),
  put: <T>(path: string, json: unknown) => call<T>(root + path, { method: 'PUT', json }),
  patch: <T>(path: string, json: unknown) => call<T>(root + path, { method: 'PATCH', json }),
  remove: <T>(path: string, q?: Query) => call<T>(root + path, { method: 'DELETE', query: q }),
  /** The address of something, for a link or a download. */
  url: (path: string) => root + path,
};

/** A path with every part made safe: at`/objects/${id}/why`. */
export function at(parts: TemplateStringsArray, ...names: string[]): string {
  return parts.reduce((out, part, i) => out + part + (i < names.length ? encodeURIComponent(names[i] ?? '') : ''), '');
}
