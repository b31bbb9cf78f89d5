import type { Route } from '$/app/router.svelte';

/** Every screen and its address. Addresses other than / stand below /app/. */
export const routes: Route[] = [
  { path: '/', screen: () => import('./screens/Home.svelte'), title: 'nav.home' },
  { path: '/app/search', screen: () => import('./screens/Search.svelte'), title: 'nav.search', right: 'object.read' },
  { path: '/app/objects/:id', screen: () => import('./screens/Object.svelte'), title: 'object.title', right: 'object.read' },
  { path: '/app/import', screen: () => import('./screens/Import.svelte'), title: 'nav.import', right: 'object.write' },
  { path: '/app/quarantine', screen: () => import('./screens/Quarantine.svelte'), title: 'nav.quarantine', right: 'quarantine.read' },
  { path: '/app/feeds', screen: () => import('./screens/Feeds.svelte'), title: 'nav.feeds', right: 'feed.read' },
  { path: '/app/feeds/:name', screen: () => import('./screens/Feed.svelte'), title: 'feed.name', right: 'feed.read' },
  { path: '/app/admin', screen: () => import('./screens/Admin.svelte'), title: 'nav.admin', right: 'config.read' },
  { path: '/app/you', screen: () => import('./screens/You.svelte'), title: 'nav.you' },
  { path: '/app/constituents', screen: () => import('./screens/Constituents.svelte'), title: 'nav.constituents', right: 'register.read' },
  { path: '/app/constituents/new', screen: () => import('./screens/ConstituentNew.svelte'), title: 'reg.add', right: 'register.write' },
  { path: '/app/constituents/import', screen: () => import('./screens/ConstituentImport.svelte'), title: 'reg.import', right: 'register.write' },
  { path: '/app/constituents/:id', screen: () => import('./screens/Constituent.svelte'), title: 'reg.one', right: 'register.read' },
  { path: '/app/alerts', screen: () => import('./screens/Alerts.svelte'), title: 'nav.alerts', right: 'alert.read' },
  { path: '/app/write', screen: () => import('./screens/Write.svelte'), title: 'nav.write', right: 'object.write' },
  { path: '/app/blobs', screen: () => import('./screens/Blobs.svelte'), title: 'nav.blobs', right: 'object.read' },
  { path: '/app/partners', screen: () => import('./screens/Partners.svelte'), title: 'nav.partners', right: 'accord.read' },
  { path: '/app/partners/new', screen: () => import('./screens/PartnerNew.svelte'), title: 'partner.add', right: 'peer.manage' },
  { path: '/app/partners/sheet', screen: () => import('./screens/PartnerSheet.svelte'), title: 'sheet.print', right: 'accord.read' },
  { path: '/app/accords', screen: () => import('./screens/Accords.svelte'), title: 'nav.accords', right: 'accord.read' },
  { path: '/app/accords/new', screen: () => import('./screens/AccordNew.svelte'), title: 'accord.new', right: 'accord.read' },
  { path: '/app/accords/:name', screen: () => import('./screens/Accord.svelte'), title: 'accord.one', right: 'accord.read' },
  { path: '/app/releases', screen: () => import('./screens/Releases.svelte'), title: 'nav.releases', right: 'accord.read' },
];
