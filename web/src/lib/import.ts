import type { components } from '$/api/schema';
import { send, refusal, Refusal } from '$/api/http';
import { values } from './ndjson';

type Schemas = components['schemas'];
export type Review = Schemas['Review'];
export type Found = Schemas['ReviewFound'];
export type Item = Schemas['ReviewItem'];
export type Outcome = Schemas['Outcome'];
export type Loss = Schemas['Loss'];
export type Summary = Schemas['Summary'];

/** What an import is asked with. */
export interface Ask {
  body: Blob | string;
  format: 'stix' | 'misp';
  label?: string;
  default?: string;
  collection?: string;
}

/** What is known of an import so far. */
export interface Report {
  done: number;
  total: number;
  outcomes: Outcome[];
  losses: Loss[];
  summary?: Summary;
  why?: Refusal;
}

const shown = 500;

/** What a text or file contains. */
export async function review(body: Blob | string, signal?: AbortSignal): Promise<Review> {
  const res = await send('/api/v1/review', { method: 'POST', body, type: 'application/octet-stream', signal });
  return (await res.json()) as Review;
}

/** Imports, and tells how far it is. It can be asked again: what is here already is not stored twice. It never throws: the last report has the reason. */
export async function importing(ask: Ask, told: (r: Report) => void, signal?: AbortSignal): Promise<Report> {
  const report: Report = { done: 0, total: 0, outcomes: [], losses: [] };
  try {
    const res = await send('/api/v1/objects', {
      method: 'POST',
      body: ask.body,
      type: 'application/octet-stream',
      query: { format: ask.format, label: ask.label, default: ask.default, collection: ask.collection },
      signal,
    });
    if (res.body) {
      for await (const e of values<Schemas['Event']>(res.body)) {
        take(report, e);
        told({ ...report });
      }
    }
    if (!report.summary && !report.why) report.why = cut();
  } catch (e) {
    report.why = e instanceof Refusal ? e : e instanceof TypeError || signal?.aborted ? cut() : refusal(e);
  }
  told({ ...report });
  return report;
}

function take(report: Report, e: Schemas['Event']) {
  if (e.progress) {
    report.done = e.progress.done;
    report.total = e.progress.total;
  }
  if (e.outcome && report.outcomes.length < shown) report.outcomes = [...report.outcomes, e.outcome];
  if (e.loss && report.losses.length < shown) report.losses = [...report.losses, e.loss];
  if (e.summary) report.summary = e.summary;
  if (e.error) report.why = new Refusal(e.error);
}

function cut(): Refusal {
  return new Refusal({ title: 'Cut off', status: 0, code: 'import.cut' });
}

/** Finds with the same kind and value are one; how often they stand in the texts is added up. */
export function merge(reviews: readonly Review[]): Found[] {
  const out = new Map<string, Found>();
  for (const f of reviews.flatMap((r) => r.found)) {
    const key = f.kind + ' ' + f.value;
    const before = out.get(key);
    if (!before) out.set(key, { ...f });
    else {
      before.times += f.times;
      if (!f.doubt) delete before.doubt;
    }
  }
  return [...out.values()];
}
