import { api, type Me, Refusal, refusal } from '$/api';
import { whenSignedOut } from '$/api/http';
import { auth } from '$/api/auth';

/** Who is signed in. */
class Session {
  /** undefined until the node was asked. */
  state = $state<'asking' | 'out' | 'in' | 'failed'>('asking');
  me = $state<Me>();
  problem = $state<Refusal>();

  constructor() {
    whenSignedOut(() => {
      if (this.state === 'in') this.state = 'out';
    });
  }

  async ask() {
    try {
      this.me = await api.get<Me>('/me');
      this.problem = undefined;
      this.state = 'in';
    } catch (e) {
      const why = refusal(e);
      this.me = undefined;
      if (why.status === 401) {
        this.state = 'out';
        return;
      }
      this.problem = why;
      this.state = 'failed';
    }
  }

  async signOut() {
    try {
      await auth.out();
    } finally {
      this.me = undefined;
      this.state = 'out';
    }
  }

  /** Whether the roles of who is signed in allow something, named as in x-right of the interface. */
  may(right: string | undefined): boolean {
    return right === undefined || (this.me?.may.includes(right) ?? false);
  }
}

export const session = new Session();
