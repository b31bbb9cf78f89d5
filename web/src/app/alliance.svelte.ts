import { api, type Refusal, refusal } from '$/api';
import type { Link } from '$/lib/accord';
import { alarms, type RelayState, type Told } from '$/lib/links';

/** How the alliance is: links to partners, relays that carry, and what the node says somebody should look at. */
export class Alliance {
  links = $state.raw<Link[]>([]);
  relay = $state.raw<RelayState>({ on: false, carried: [], relays: [] });
  told = $state.raw<Told[]>([]);
  done = $state(false);
  busy = $state(false);
  why = $state<Refusal>();

  found = $derived(alarms(this.links, this.told, this.relay.relays));

  /** Asks for all of it; what is shown stays until the answers are there. */
  async look() {
    if (this.busy) return;
    this.busy = true;
    try {
      const [links, told, relay] = await Promise.all([api.page<Link>('/links'), api.page<Told>('/alarms'), api.get<RelayState>('/relay')]);
      this.links = links.items;
      this.told = told.items;
      this.relay = relay;
      this.why = undefined;
    } catch (e) {
      this.why = refusal(e);
    }
    this.busy = false;
    this.done = true;
  }
}
