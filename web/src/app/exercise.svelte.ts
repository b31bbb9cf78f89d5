import { whenAnswered } from '$/api/http';

/** The exercise that the node is of, as every answer of it says; undefined for operations. Nothing takes it back while the page is open. */
class Exercise {
  name = $state<string>();

  constructor() {
    whenAnswered((headers) => {
      const name = headers.get('X-Entente-Exercise');
      if (name) this.name = name;
    });
  }
}

export const exercise = new Exercise();
