import type { Key } from '$/i18n/en';
import type { IconName } from '$/kit/Icon.svelte';

/** A place in the navigation. It is shown to whoever has the right; g and then the letter leads there. */
export interface Place {
  path: string;
  title: Key;
  icon: IconName;
  letter: string;
  right?: string;
}

export interface Group {
  title: Key;
  places: Place[];
}

export const nav: Group[] = [
  {
    title: 'nav.work',
    places: [
      { path: '/', title: 'nav.home', icon: 'home', letter: 'h' },
      { path: '/app/search', title: 'nav.search', icon: 'search', letter: 's', right: 'object.read' },
      { path: '/app/import', title: 'nav.import', icon: 'import', letter: 'i', right: 'object.write' },
      { path: '/app/write', title: 'nav.write', icon: 'write', letter: 'w', right: 'object.write' },
      { path: '/app/blobs', title: 'nav.blobs', icon: 'audit', letter: 'b', right: 'object.read' },
    ],
  },
  {
    title: 'nav.desk',
    places: [
      { path: '/app/alerts', title: 'nav.alerts', icon: 'bell', letter: 'a', right: 'alert.read' },
      { path: '/app/quarantine', title: 'nav.quarantine', icon: 'quarantine', letter: 'q', right: 'quarantine.read' },
      { path: '/app/feeds', title: 'nav.feeds', icon: 'feed', letter: 'f', right: 'feed.read' },
      { path: '/app/constituents', title: 'nav.constituents', icon: 'people', letter: 'c', right: 'register.read' },
    ],
  },
  {
    title: 'nav.detection',
    places: [
      { path: '/app/detections', title: 'nav.detections', icon: 'pulse', letter: 't', right: 'sensor.read' },
      { path: '/app/sensors', title: 'nav.sensors', icon: 'sensor', letter: 'n', right: 'sensor.read' },
      { path: '/app/blocking', title: 'nav.blocking', icon: 'block', letter: 'x', right: 'block.read' },
    ],
  },
  {
    title: 'nav.alliance',
    places: [
      { path: '/app/partners', title: 'nav.partners', icon: 'globe', letter: 'p', right: 'accord.read' },
      { path: '/app/links', title: 'nav.links', icon: 'graph', letter: 'l', right: 'accord.read' },
      { path: '/app/accords', title: 'nav.accords', icon: 'accord', letter: 'k', right: 'accord.read' },
      { path: '/app/decisions', title: 'nav.decisions', icon: 'write', letter: 'e', right: 'accord.read' },
      { path: '/app/releases', title: 'nav.releases', icon: 'stamp', letter: 'r', right: 'accord.read' },
      { path: '/app/bundles', title: 'nav.bundles', icon: 'send', letter: 'u', right: 'accord.read' },
      { path: '/app/proofs', title: 'nav.proofs', icon: 'lock', letter: 'o', right: 'accord.read' },
    ],
  },
  {
    title: 'nav.house',
    places: [
      { path: '/app/admin', title: 'nav.admin', icon: 'gear', letter: 'd', right: 'config.read' },
      { path: '/app/you', title: 'nav.you', icon: 'person', letter: 'y' },
    ],
  },
];
