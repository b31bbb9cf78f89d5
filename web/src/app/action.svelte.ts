import { aborted, api, passing, refusal, type Query, type Refusal } from '$/api';

/** Something that a person does: one at a time, and what went wrong with it. */
export class Action {
  busy = $state(false);
  why = $state<Refusal>();

  /** Does it, unless it is under way. The result tells whether it went well. */
  async run(f: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.why = undefined;
    try {
      await f();
      return true;
    } catch (e) {
      if (!aborted(e)) this.why = refusal(e);
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** What is wrong with one member of what was sent, for its field. */
  at(name: string): string | undefined {
    const p = this.why?.problem;
    if (!p?.pointer) return undefined;
    const where = p.pointer.replace(/^\//, '');
    if (where !== name && !where.startsWith(name + '/')) return undefined;
    return [p.detail ?? p.title, p.do].filter(Boolean).join('; ');
  }

  /** What went wrong, unless one of these fields says so. */
  besides(...names: string[]): Refusal | undefined {
    return names.some((n) => this.at(n)) ? undefined : this.why;
  }
}

/** One answer of the node. */
export class Loaded<T> {
  value = $state.raw<T>();
  why = $state<Refusal>();
  busy = $state(false);
  private stop = new AbortController();

  /** Asks for it; what is shown stays until the answer is there. */
  load(path: string, query: Query = {}) {
    return this.ask(path, query, false);
  }

  /** Asks for the same again, as a page does by itself: what is shown, and what somebody writes beside it, stays, too, when the node does not answer just now. */
  again(path: string, query: Query = {}) {
    return this.ask(path, query, true);
  }

  private async ask(path: string, query: Query, again: boolean) {
    this.stop.abort();
    const stop = (this.stop = new AbortController());
    this.busy = true;
    try {
      const value = await api.get<T>(path, query, stop.signal);
      if (stop.signal.aborted) return;
      this.value = value;
      this.why = undefined;
    } catch (e) {
      if (stop.signal.aborted) return;
      const why = refusal(e);
      if (!again || this.value === undefined || !passing(why)) {
        this.value = undefined;
        this.why = why;
      }
    }
    this.busy = false;
  }
}
