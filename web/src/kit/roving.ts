import type { Attachment } from 'svelte/attachments';

/** A list through which the arrows move, up and down, or of one that goes across, to both sides. One of its items is in the order of focus: the one that was focused last. Items are those that the selector finds. */
export function roving(selector: string, { leave, across = false }: { leave?: () => void; across?: boolean } = {}): Attachment<HTMLElement> {
  return (list) => {
    const items = () => [...list.querySelectorAll<HTMLElement>(selector)];
    let last: HTMLElement | undefined;
    const settle = () => {
      const all = items();
      const open = last && all.includes(last) ? last : all[0];
      for (const item of all) item.tabIndex = item === open ? 0 : -1;
    };
    const focused = (e: FocusEvent) => {
      const item = e.target instanceof Element ? e.target.closest<HTMLElement>(selector) : null;
      if (item && item !== last) {
        last = item;
        settle();
      }
    };
    const pressed = (e: KeyboardEvent) => {
      if (!(e.target instanceof Element) || !e.target.matches(selector) || e.ctrlKey || e.metaKey || e.altKey) return;
      const all = items();
      const at = all.indexOf(e.target as HTMLElement);
      const rtl = getComputedStyle(list).direction === 'rtl';
      const [on, back] = !across ? ['ArrowDown', 'ArrowUp'] : rtl ? ['ArrowLeft', 'ArrowRight'] : ['ArrowRight', 'ArrowLeft'];
      const to = { [on as string]: at + 1, [back as string]: at - 1, Home: 0, End: all.length - 1, j: at + 1, k: at - 1 }[e.key];
      if (to === undefined) return;
      e.preventDefault();
      if (to < 0) leave?.();
      else all[Math.min(to, all.length - 1)]?.focus();
    };
    const watch = new MutationObserver(settle);
    watch.observe(list, { childList: true, subtree: true });
    list.addEventListener('focusin', focused);
    list.addEventListener('keydown', pressed);
    settle();
    return () => {
      watch.disconnect();
      list.removeEventListener('focusin', focused);
      list.removeEventListener('keydown', pressed);
    };
  };
}
