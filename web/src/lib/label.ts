import type { Label } from '$/api';
import type { Key } from '$/i18n/en';
import type { Values } from './text';

/** The TLP 2.0 labels, the strictest first. */
export const tlps = ['TLP:RED', 'TLP:AMBER+STRICT', 'TLP:AMBER', 'TLP:GREEN', 'TLP:CLEAR'] as const;

/** The name of a TLP label as FIRST writes it, from any way that the node writes it. */
export function tlpName(tlp: string): string {
  const upper = tlp.toUpperCase();
  return upper.startsWith('TLP:') ? upper : 'TLP:' + upper;
}

/** One sentence of a label: a text and what stands in it. */
export interface Sentence {
  key: Key;
  values?: Values;
}

/** Who may read under a label, in one plain sentence. */
export function reach(label: Label): Sentence {
  const named = label.aud !== 'all' && label.named;
  if (named) return { key: 'label.named', values: { who: principals(label.aud) } };
  switch (label.tlp) {
    case 'TLP:CLEAR':
      return { key: 'label.clear' };
    case 'TLP:GREEN':
      return { key: 'label.green' };
    case 'TLP:AMBER':
      return { key: 'label.amber' };
    case 'TLP:AMBER+STRICT':
      return { key: 'label.strict' };
    default:
      return { key: 'label.red' };
  }
}

/** What else a label demands, each in a sentence; nothing for what restricts nothing. */
export function conditions(label: Label): Sentence[] {
  const out: Sentence[] = [];
  if (label.aud !== 'all' && !label.named) out.push({ key: 'label.audience', values: { who: principals(label.aud) } });
  if (label.purpose !== 'all') out.push({ key: 'label.purpose', values: { what: words(label.purpose) } });
  if (label.sector !== 'all') out.push({ key: 'label.sector', values: { what: words(label.sector) } });
  if (label.class && label.class !== 'unclassified') out.push({ key: 'label.class', values: { what: label.class } });
  if (list(label.authority).length) out.push({ key: 'label.authority', values: { what: words(label.authority) } });
  if (label.notbefore) out.push({ key: 'label.embargo', values: { when: label.notbefore } });
  if (label.notafter) out.push({ key: 'label.retention', values: { when: label.notafter } });
  if (label.pap !== 'PAP:CLEAR') out.push({ key: `label.${label.pap}` });
  if (label.onward !== 'free') out.push({ key: `label.onward.${label.onward}` });
  if (label.attrib !== 'may') out.push({ key: `label.attrib.${label.attrib}` });
  if (label.purge !== 'none') out.push({ key: `label.purge.${label.purge}` });
  if (label.access === 'view') out.push({ key: 'label.view' });
  if (list(label.caveat).length) out.push({ key: 'label.caveat', values: { what: words(label.caveat) } });
  return out;
}

function list(set: 'all' | readonly string[]): readonly string[] {
  return set === 'all' ? ['all'] : set;
}

function words(set: 'all' | readonly string[]): string {
  return list(set).join(', ');
}

/** Principals as people read them: "org:UTO/Utopia CERT" is Utopia CERT (UTO). */
export function principals(set: 'all' | readonly string[]): string {
  return list(set)
    .map((p) => {
      const [kind = '', rest = ''] = [p.slice(0, p.indexOf(':')), p.slice(p.indexOf(':') + 1)];
      const [nation, org, person] = rest.split('/');
      if (kind === 'org') return `${org} (${nation})`;
      if (kind === 'person') return `${person}, ${org} (${nation})`;
      return rest || p;
    })
    .join(', ');
}
