import { aborted, api, type Query, refusal, type Refusal } from '$/api';

/** A list of the node that is read page by page. A screen makes one, calls load in an effect, and shows items, busy and why. */
export class Paged<T> {
  items = $state.raw<T[]>([]);
  next = $state<string>();
  busy = $state(false);
  /** The first page is there, or was refused. */
  done = $state(false);
  why = $state<Refusal>();
  private path = '';
  private query: Query = {};
  private stop = new AbortController();

  /** Reads the first page of a path below /api/v1; what was under way is given up. */
  async load(path: string, query: Query = {}) {
    this.path = path;
    this.query = query;
    this.done = false;
    this.next = undefined;
    await this.read(false);
  }

  /** Reads the page after the last. */
  async more() {
    if (this.next && !this.busy) await this.read(true);
  }

  /** Reads the first page again and leaves what is shown until it is there. */
  async again() {
    this.next = undefined;
    await this.read(false);
  }

  private async read(add: boolean) {
    this.stop.abort();
    const stop = (this.stop = new AbortController());
    this.busy = true;
    try {
      const page = await api.page<T>(this.path, { ...this.query, next: add ? this.next : undefined }, stop.signal);
      this.items = add ? [...this.items, ...page.items] : page.items;
      this.next = page.next;
      this.why = undefined;
    } catch (e) {
      if (stop.signal.aborted || aborted(e)) return;
      if (!add) this.items = [];
      this.why = refusal(e);
    }
    this.busy = false;
    this.done = true;
  }
}
