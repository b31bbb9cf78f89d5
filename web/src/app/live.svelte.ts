import type { Act, Entry, Problem } from '$/api';
import { pause, streamURL } from '$/lib/stream';
import { session } from './session.svelte';

interface Events {
  object: Entry;
  removed: { id: string; type: string; version: string };
  act: Act;
}

type Handlers = { [E in keyof Events]?: (data: Events[E]) => void };

/** The live stream of the node: one connection for the whole console, open as long as somebody is signed in and the page is seen. */
class Live {
  state = $state<'off' | 'on' | 'lost'>('off');
  private source: EventSource | undefined;
  private handlers = new Set<Handlers>();
  private after = '';
  private attempt = 0;
  private timer = 0;

  constructor() {
    document.addEventListener('visibilitychange', () => this.settle());
    addEventListener('online', () => this.settle());
    addEventListener('pagehide', () => this.close());
  }

  /** Listens; the result ends that, as an effect wants it. What came while nobody listened is not told. */
  on(handlers: Handlers): () => void {
    this.handlers.add(handlers);
    return () => this.handlers.delete(handlers);
  }

  /** Opens the stream for who is signed in now, from now on. */
  start() {
    this.after = '';
    this.attempt = 0;
    this.settle();
  }

  stop() {
    this.close();
    this.after = '';
    this.state = 'off';
  }

  // A page in the background lets go after its place was noted, and goes on from there when it is seen again: a node serves so many streams only.
  private settle() {
    if (session.state !== 'in' || !session.may('object.read')) return this.stop();
    if (document.visibilityState === 'hidden') return this.close();
    if (!this.source && !this.timer) this.open();
  }

  private open() {
    this.timer = 0;
    const source = (this.source = new EventSource(streamURL(this.after)));
    source.onopen = () => {
      this.state = 'on';
      this.attempt = 0;
    };
    source.onmessage = (e) => this.note(e);
    for (const name of ['object', 'removed', 'act'] as const) {
      source.addEventListener(name, (e: MessageEvent<string>) => {
        this.note(e);
        this.tell(name, e.data);
      });
    }
    source.addEventListener('end', (e: MessageEvent<string>) => {
      const why = (JSON.parse(e.data) as { end?: Problem }).end;
      if (why?.status === 401) void session.ask();
      this.again();
    });
    // A connection that breaks is taken up by the browser itself; one that was refused is not.
    source.onerror = () => {
      this.state = 'lost';
      if (source.readyState === EventSource.CLOSED) this.again();
    };
  }

  private note(e: MessageEvent) {
    if (e.lastEventId) this.after = e.lastEventId;
  }

  private tell<E extends keyof Events>(name: E, data: string) {
    const value = (JSON.parse(data) as { [K in E]?: Events[K] })[name];
    if (value === undefined) return;
    for (const h of this.handlers) h[name]?.(value);
  }

  private again() {
    this.close();
    this.state = 'lost';
    if (this.attempt > 2) this.after = ''; // perhaps it is the place that is refused
    this.timer = window.setTimeout(() => this.open(), pause(this.attempt++, Math.random()));
  }

  private close() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.source?.close();
    this.source = undefined;
  }
}

export const live = new Live();
