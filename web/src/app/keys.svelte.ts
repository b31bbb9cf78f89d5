import { untrack } from 'svelte';
import type { Key } from '$/i18n/en';
import { nav } from '$/nav';
import { router } from './router.svelte';
import { session } from './session.svelte';

interface Shortcut {
  key: string;
  run: () => void;
  title: Key;
}

/** The keys of the console. Keys without a modifier do nothing while somebody types. */
class Keys {
  help = $state(false);
  list = $state.raw<Shortcut[]>([]);
  private pending = 0;

  constructor() {
    addEventListener('keydown', (e) => this.press(e));
  }

  /** Adds a shortcut; the result takes it away, as an effect wants it. */
  on(key: string, run: () => void, title: Key): () => void {
    const shortcut = { key, run, title };
    untrack(() => (this.list = [...this.list, shortcut]));
    return () => untrack(() => (this.list = this.list.filter((s) => s !== shortcut)));
  }

  private press(e: KeyboardEvent) {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || typing(e.target)) return;
    if (session.state !== 'in' || document.querySelector('dialog[open]')) return;
    if (this.pending && Date.now() - this.pending < 1500) {
      this.pending = 0;
      const place = nav.flatMap((g) => g.places).find((p) => p.letter === e.key && session.may(p.right));
      if (place) {
        e.preventDefault();
        router.go(place.path);
      }
      return;
    }
    if (e.key === 'g') {
      this.pending = Date.now();
      return;
    }
    if (e.key === '?') {
      e.preventDefault();
      this.help = true;
      return;
    }
    const found = this.list.find((s) => s.key === e.key);
    if (found) {
      e.preventDefault();
      found.run();
    }
  }
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export const keys = new Keys();
