import type { Refusal } from '$/api';

export interface Toast {
  id: number;
  tone: 'good' | 'bad' | 'plain';
  text: string;
  why?: Refusal;
}

/** Short messages in the corner. What went wrong stays until it is closed; the others go by themselves. */
class Toasts {
  list = $state<Toast[]>([]);
  private next = 1;

  say(text: string, tone: Toast['tone'] = 'good') {
    const id = this.add({ text, tone });
    setTimeout(() => this.close(id), 6000);
  }

  fail(why: Refusal) {
    this.add({ text: why.message, tone: 'bad', why });
  }

  close(id: number) {
    this.list = this.list.filter((x) => x.id !== id);
  }

  private add(toast: Omit<Toast, 'id'>): number {
    const id = this.next++;
    this.list = [...this.list.slice(-3), { id, ...toast }];
    return id;
  }
}

export const toasts = new Toasts();
