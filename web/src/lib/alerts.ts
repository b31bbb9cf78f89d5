import type { components } from '$/api';

export type Alert = components['schemas']['Alert'];
export type Notification = components['schemas']['Notification'];
export type Parcel = components['schemas']['Parcel'];

export const severities = ['low', 'medium', 'high', 'critical'] as const;

/** How a severity is shown. */
export function severityTone(s: string): 'bad' | 'warn' | 'plain' {
  return s === 'critical' ? 'bad' : s === 'high' ? 'warn' : 'plain';
}

/** How the state of a notification is shown. */
export function stateTone(s: string): 'good' | 'bad' | 'warn' | 'accent' | 'plain' {
  return ({ draft: 'accent', withheld: 'warn', approved: 'good', sent: 'good', failed: 'bad', discarded: 'plain' } as const)[s] ?? 'plain';
}

/** Whether it may still be written into. */
export const open = (n: Notification) => n.state === 'draft' || n.state === 'withheld';

/** Whether it may still be ended. */
export const endable = (n: Notification) => n.state === 'draft' || n.state === 'withheld' || n.state === 'approved' || n.state === 'failed';

/** Whether that person wrote into it last, and so must not let it go. */
export function wroteIt(n: Notification, me: { org: string; person: string } | undefined): boolean {
  return !!n.editor && !!me && n.editor === `${me.org}/${me.person}`;
}
