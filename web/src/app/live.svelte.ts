/** The live stream of the node. */
class Live {
  state = $state<'off' | 'on' | 'lost'>('off');
}

export const live = new Live();
