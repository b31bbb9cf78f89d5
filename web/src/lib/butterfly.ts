/** One connection as the drawing needs it. */
export interface Wing {
  id: string;
  type: string;
  name: string;
  verb: string;
  out: boolean;
}

export interface Placed extends Wing {
  x: number;
  y: number;
}

export interface Verb {
  verb: string;
  out: boolean;
  x: number;
  y: number;
  /** Of its connections so many are not drawn. */
  hidden: number;
  count: number;
}

export interface Drawing {
  width: number;
  height: number;
  center: { x: number; y: number };
  nodes: Placed[];
  verbs: Verb[];
}

export const size = { node: 228, row: 30, gap: 18, verb: 118, middle: 232, most: 10 };

/**
 * Places an object in the middle, what points to it before it and what it points to after it, in groups by how they are connected. x and y are middles.
 * Of one group at most size.most are drawn, so that the drawing stays readable whatever is connected.
 */
export function butterfly(wings: readonly Wing[]): Drawing {
  const side = (out: boolean) => {
    const groups = new Map<string, Wing[]>();
    for (const w of wings) if (w.out === out) groups.set(w.verb, [...(groups.get(w.verb) ?? []), w]);
    return [...groups.entries()].sort((a, b) => b[1].length - a[1].length || a[0].localeCompare(b[0]));
  };
  const heightOf = (groups: [string, Wing[]][]) => groups.reduce((sum, [, list]) => sum + Math.min(list.length, size.most) * size.row + (list.length > size.most ? size.row : 0) + size.gap, -size.gap);
  const left = side(false);
  const right = side(true);
  const height = Math.max(heightOf(left), heightOf(right), 120) + 2 * size.gap;
  const width = 2 * (size.node + size.verb) + size.middle + 280;
  const drawing: Drawing = { width, height, center: { x: width / 2, y: height / 2 }, nodes: [], verbs: [] };
  for (const [groups, out] of [[left, false], [right, true]] as const) {
    const sign = out ? 1 : -1;
    const nodeX = width / 2 + sign * (width / 2 - size.node / 2 - 4);
    const verbX = width / 2 + sign * (size.middle / 2 + 64 + size.verb / 2);
    let y = (height - heightOf(groups)) / 2;
    for (const [verb, list] of groups) {
      const shown = list.slice(0, size.most);
      const top = y;
      for (const w of shown) {
        drawing.nodes.push({ ...w, x: nodeX, y: y + size.row / 2 });
        y += size.row;
      }
      const hidden = list.length - shown.length;
      drawing.verbs.push({ verb, out, x: verbX, y: (top + y) / 2, hidden, count: list.length });
      if (hidden) y += size.row;
      y += size.gap;
    }
  }
  return drawing;
}

/** A curve between two points that leaves and arrives level. */
export function curve(x1: number, y1: number, x2: number, y2: number): string {
  const bend = (x2 - x1) / 2;
  const r = (n: number) => Math.round(n * 10) / 10;
  return `M${r(x1)} ${r(y1)}C${r(x1 + bend)} ${r(y1)} ${r(x2 - bend)} ${r(y2)} ${r(x2)} ${r(y2)}`;
}
