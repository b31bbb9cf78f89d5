import type { Label } from '$/api';
import type { tlps } from './label';

/** The permitted actions, the strictest first. */
export const paps = ['PAP:RED', 'PAP:AMBER', 'PAP:GREEN', 'PAP:CLEAR'] as const;

/** A label as a person chooses it. Empty: nothing is chosen, and nothing is restricted. */
export interface Choice {
  tlp: (typeof tlps)[number] | '';
  pap: (typeof paps)[number] | '';
  /** Principals, such as org:UTO/Utopia CERT. */
  aud: string[];
}

export const nothing: Choice = { tlp: '', pap: '', aud: [] };

/** The choice as the parameters of the interface take it: tlp:amber,pap:green,org:UTO/cert. */
export function words(c: Choice): string {
  return [c.tlp.toLowerCase(), c.pap.toLowerCase(), ...c.aud].filter(Boolean).join(',');
}

/** The whole label of a choice. What is not chosen restricts nothing. */
export function labelOf(c: Choice): Label {
  const aud = sorted(c.aud);
  const tlp = c.tlp || 'TLP:CLEAR';
  return {
    tlp,
    class: 'unclassified',
    pap: c.pap || 'PAP:CLEAR',
    onward: 'free',
    attrib: 'may',
    purge: 'none',
    mode: 'any',
    access: 'copy',
    purpose: 'all',
    aud: aud.length ? aud : 'all',
    sector: 'all',
    authority: [],
    caveat: [],
    named: tlp === 'TLP:CLEAR' && aud.length === 0,
  };
}

/** What a person may start from when it changes a label. */
export function choiceOf(l: Label): Choice {
  return { tlp: l.tlp, pap: l.pap === 'PAP:CLEAR' || l.pap === 'PAP:ASK' ? '' : l.pap, aud: l.aud === 'all' ? [] : [...l.aud] };
}

/** The same principals in the order of their bytes, each once. */
function sorted(list: readonly string[]): string[] {
  const bytes = new TextEncoder();
  return [...new Set(list)].sort((a, b) => compare(bytes.encode(a), bytes.encode(b)));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const d = (a[i] ?? 0) - (b[i] ?? 0);
    if (d) return d;
  }
  return a.length - b.length;
}

const principal = /^(?:nation:[A-Z]{2,8}|org:[A-Z]{2,8}\/[^/]+|person:[A-Z]{2,8}\/[^/]+\/[^/]+|(?:node|community):.+)$/;

/** Whether that is written as a principal is. The node decides whether it is one. */
export function isPrincipal(text: string): boolean {
  return principal.test(text) && text.length <= 256 && !text.includes(',');
}
