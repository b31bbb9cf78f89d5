/** Ways by which an object comes from a partner's node. */
export const ways = ['stream', 'push', 'bundle', 'relay', 'unknown'] as const;

/** A way as the node tells it; that over a relay has the relay's name. */
export function wayOf(told: string | undefined): { by: (typeof ways)[number]; name: string } {
  const [by = '', ...name] = (told ?? '').split(':');
  const known = ways.find((w) => w === by);
  return { by: known ?? 'unknown', name: name.join(':') };
}
