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
    ],
  },
  {
    title: 'nav.desk',
    places: [
      { path: '/app/quarantine', title: 'nav.quarantine', icon: 'quarantine', letter: 'q', right: 'quarantine.read' },
      { path: '/app/feeds', title: 'nav.feeds', icon: 'feed', letter: 'f', right: 'feed.read' },
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
