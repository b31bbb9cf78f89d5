import type { Component } from 'svelte';
import type { Key } from '$/i18n/index.svelte';
import { match, type Params } from '$/lib/path';
import { routes } from '$/routes';

/** A screen and where it is. */
export interface Route {
  /** The path; a part that begins with a colon is a parameter. */
  path: string;
  /** Loads the screen. It is given the path's parameters as properties. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  screen: () => Promise<{ default: Component<any> }>;
  title: Key;
  /** The right, of those that /me lists, without which the screen is refused. */
  right?: string;
}

class Router {
  path = $state(location.pathname);
  query = $state(new URLSearchParams(location.search));
  found = $derived.by((): { route: Route; params: Params } | undefined => {
    for (const route of routes) {
      const params = match(route.path, this.path);
      if (params) return { route, params };
    }
    return undefined;
  });

  constructor() {
    addEventListener('popstate', () => this.read());
    addEventListener('click', (e) => {
      const link = e.target instanceof Element ? e.target.closest('a[href]') : null;
      if (!(link instanceof HTMLAnchorElement) || e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
      if (link.target || link.hasAttribute('download') || link.origin !== location.origin || !isScreen(link.pathname)) return;
      if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
      e.preventDefault();
      this.go(link.pathname + link.search);
    });
  }

  private read() {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  /** Goes to another address of the console. */
  go(url: string, { replace = false, keepFocus = false } = {}) {
    if (url === location.pathname + location.search) replace = true;
    history[replace ? 'replaceState' : 'pushState'](null, '', url);
    const before = this.path;
    this.read();
    if (this.path !== before && !keepFocus) scrollTo(0, 0);
  }

  /** Changes the query of the address and nothing else; what is empty or undefined is taken out. */
  set(changes: Record<string, string | readonly string[] | undefined>) {
    const q = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      q.delete(name);
      if (typeof value === 'string') {
        if (value) q.set(name, value);
      } else for (const v of value ?? []) q.append(name, v);
    }
    const text = q.toString();
    this.go(location.pathname + (text && '?' + text), { replace: true, keepFocus: true });
  }
}

/** Whether an address is one of the console's, and not a file or an interface of the node. */
export function isScreen(path: string): boolean {
  return path === '/' || path.startsWith('/app/');
}

export const router = new Router();
