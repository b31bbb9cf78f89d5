/** The time, every half minute, for what says how long ago something was. */
class Now {
  time = $state(Date.now());

  constructor() {
    setInterval(() => (this.time = Date.now()), 30_000);
  }
}

export const now = new Now();
