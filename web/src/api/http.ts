/** A failure as the node tells it (RFC 9457), or as the way to the node does. */
export interface Problem {
  title: string;
  status: number;
  code: string;
  detail?: string;
  pointer?: string;
  rule?: string;
  do?: string;
  error_id?: string;
}

/** Thrown by every call that was not answered with what was asked for. status 0: the node did not answer. */
export class Refusal extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = 'Refusal';
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }
}

export const offline = 'offline';

/** Makes a Refusal of anything that was thrown. */
export function refusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown;
  return new Refusal({ title: 'Error', status: 0, code: 'console', detail: thrown instanceof Error ? thrown.message : String(thrown) });
}

/** Whether the node, or the way to it, only could not answer just now. */
export function passing(why: Refusal): boolean {
  return why.status === 0 || why.status >= 500;
}

export type Query = Record<string, string | number | boolean | readonly string[] | undefined>;

/** Writes a query: nothing for what is undefined, empty or false; several values are repeated. */
export function query(q: Query = {}): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(q)) {
    if (value === undefined || value === '' || value === false) continue;
    if (typeof value === 'object') for (const v of value) out.append(name, v);
    else out.append(name, String(value));
  }
  const text = out.toString();
  return text && '?' + text;
}

export interface Ask {
  method?: string;
  query?: Query;
  /** A value that is sent as JSON. */
  json?: unknown;
  /** Bytes or text that are sent as they are. */
  body?: BodyInit;
  type?: string;
  signal?: AbortSignal;
  /** Makes something: may be asked again without making it twice. */
  once?: boolean;
}

type Listener = () => void;
let onSignedOut: Listener = () => {};

/** Tells whoever shows the sign-in that the session has ended. */
export function whenSignedOut(f: Listener) {
  onSignedOut = f;
}

let onAnswered: (headers: Headers) => void = () => {};

/** Tells of the headers of every answer. */
export function whenAnswered(f: (headers: Headers) => void) {
  onAnswered = f;
}

/** Sends one request and gives the response when it is a good one. path begins at the root: /api/v1/… or /auth/…. */
export async function send(path: string, ask: Ask = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json, application/problem+json;q=0.9, */*;q=0.1' };
  let body = ask.body;
  if (ask.json !== undefined) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(ask.json);
  } else if (ask.type) {
    headers['Content-Type'] = ask.type;
  }
  if (ask.once) headers['Idempotency-Key'] = crypto.randomUUID();
  let res: Response;
  try {
    res = await fetch(path + query(ask.query), {
      method: ask.method ?? (body === undefined ? 'GET' : 'POST'),
      headers,
      body,
      signal: ask.signal,
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
    });
  } catch (e) {
    if (ask.signal?.aborted) throw e;
    throw new Refusal({ title: 'Offline', status: 0, code: offline });
  }
  onAnswered(res.headers);
  if (res.ok) return res;
  const problem = await problemOf(res);
  if (res.status === 401 && path.startsWith('/api/')) onSignedOut();
  throw new Refusal(problem);
}

async function problemOf(res: Response): Promise<Problem> {
  const plain: Problem = { title: res.statusText || String(res.status), status: res.status, code: 'http.' + res.status };
  try {
    if (!/json/.test(res.headers.get('Content-Type') ?? '')) return plain;
    return { ...plain, ...((await res.json()) as Partial<Problem>) };
  } catch {
    return plain;
  }
}

/** Sends a request and reads the answer as JSON; an answer without content is undefined. */
export async function call<T>(path: string, ask?: Ask): Promise<T> {
  const res = await send(path, ask);
  if (res.status === 204) return undefined as T;
  return (await res.json()) as T;
}

/** Whether a request was given up by who asked. */
export function aborted(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === 'AbortError';
}
