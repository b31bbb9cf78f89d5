import { SvelteMap } from 'svelte/reactivity';
import { api, refusal, type Entry } from '$/api';
import { nameOf, partsOf, type Parts } from '$/lib/names';

const most = 5000;
const atOnce = 100;

/** Whose an object is, and how it may be handled. */
export type About = Pick<Entry, 'label' | 'origin'>;

/** What objects are called, by id. Whoever shows a reference asks; what is asked for within a moment is asked of the node at once. */
class Names {
  private known = new SvelteMap<string, string>();
  private parts = new SvelteMap<string, Parts>();
  private abouts = new SvelteMap<string, About>();
  private wanted = new Set<string>();
  private timer = 0;

  /** The name, empty where the object has none or is not there for us; undefined until the node was asked. */
  get(id: string): string | undefined {
    const p = this.parts.get(id);
    if (!p) return this.known.get(id);
    const called = (end: string) => this.known.get(end) || end;
    return p.target ? `${called(p.source)} ${p.verb} ${called(p.target)}` : called(p.source);
  }

  /** Whose the object is, and under which label; undefined where it is not there for us, or the node was not asked. */
  about(id: string): About | undefined {
    return this.abouts.get(id);
  }

  /** Notes what is known already. */
  put(entry: Pick<Entry, 'id' | 'object'>) {
    if (!entry.object) return;
    this.note(entry.id, nameOf(entry.object));
    const parts = partsOf(entry.object);
    if (!parts) return;
    this.parts.set(entry.id, parts);
    this.want([parts.source, parts.target].filter((x) => x !== ''));
  }

  /** Notes a name that came with something else. */
  tell(id: string, name: string | undefined) {
    if (name) this.note(id, name);
  }

  /** Asks for the names of ids. */
  want(ids: readonly string[]) {
    for (const id of ids) if (!this.known.has(id)) this.wanted.add(id);
    if (this.wanted.size && !this.timer) this.timer = window.setTimeout(() => this.ask(), 20);
  }

  private note(id: string, name: string) {
    if (this.known.size >= most) {
      this.known.clear();
      this.parts.clear();
      this.abouts.clear();
    }
    this.known.set(id, name);
  }

  private async ask() {
    this.timer = 0;
    const ids = [...this.wanted].slice(0, atOnce);
    for (const id of ids) this.wanted.delete(id);
    try {
      const page = await api.page<Entry>('/objects', { id: ids, limit: ids.length });
      for (const x of page.items) {
        this.put(x);
        this.abouts.set(x.id, { label: x.label, origin: x.origin });
      }
    } catch (e) {
      if (refusal(e).status === 0) { // the node does not answer: it is asked again
        for (const id of ids) this.wanted.add(id);
        this.timer = window.setTimeout(() => this.ask(), 5000);
        return;
      }
    }
    for (const id of ids) if (!this.known.has(id)) this.note(id, '');
    if (this.wanted.size) this.want([]);
  }
}

export const names = new Names();
