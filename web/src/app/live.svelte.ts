import { aborted, refusal, send, type Act, type Entry, type Problem } from '$/api';
import { StreamReader } from '$/lib/sse';
import { pause, streamURL } from '$/lib/stream';
import { session } from './session.svelte';

interface Events {
  object: Entry;
  removed: { id: string; type: string; version: string };
  act: Act;
}

type Handlers = { [E in keyof Events]?: (data: Events[E]) => void } & {
  /** Something may have been missed: what is shown should be read again. */
  gap?: () => void;
};

/** The live stream of the node: one connection for the whole console, open as long as somebody is signed in and the page is seen. */
class Live {
  state = $state<'off' | 'on' | 'lost'>('off');
  private handlers = new Set<Handlers>();
  private stream: AbortController | undefined;
  private after = '';
  private attempt = 0;
  private timer = 0;

  constructor() {
    document.addEventListener('visibilitychange', () => this.settle());
    addEventListener('online', () => this.settle());
  }

  /** Listens; the result ends that, as an effect wants it. */
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

  // A page in the background lets go, and goes on from its place when it is seen again: a node serves so many streams only.
  private settle() {
    if (session.state !== 'in' || !session.may('object.read')) return this.stop();
    if (document.visibilityState === 'hidden') return this.close();
    if (!this.stream) {
      clearTimeout(this.timer);
      void this.open();
    }
  }

  private async open() {
    this.timer = 0;
    const stream = (this.stream = new AbortController());
    try {
      const res = await send(streamURL(this.after), { signal: stream.signal });
      if (!res.body) throw new Error('no stream');
      if (this.state === 'lost' && !this.after) for (const h of this.handlers) h.gap?.();
      this.state = 'on';
      this.attempt = 0;
      const reader = new StreamReader();
      reader.id = this.after;
      const body = res.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await body.read();
        if (done) break;
        for (const e of reader.push(value)) this.tell(e.name, e.data);
        this.after = reader.id || this.after;
      }
    } catch (e) {
      if (stream.signal.aborted || aborted(e)) return;
      if (refusal(e).code === 'stream.after') this.after = '';
    }
    if (stream.signal.aborted) return;
    this.stream = undefined;
    if (session.state !== 'in') return;
    this.state = 'lost';
    this.timer = window.setTimeout(() => this.settle(), pause(this.attempt++, Math.random()));
  }

  private tell(name: string, data: string) {
    const value = JSON.parse(data) as Partial<Events> & { end?: Problem };
    if (value.end?.status === 401) void session.ask();
    for (const h of this.handlers) {
      if (name === 'object' && value.object) h.object?.(value.object);
      if (name === 'removed' && value.removed) h.removed?.(value.removed);
      if (name === 'act' && value.act) h.act?.(value.act);
    }
  }

  private close() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.stream?.abort();
    this.stream = undefined;
  }
}

export const live = new Live();
