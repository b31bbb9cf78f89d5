import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { ask, signIn, type Answer } from './person';
import { freePort, listening, password, run, start, type Running } from './setup';

/** A node that carries, and a partner that neither has an address of this node nor gives one: only the relay lies between them. */
const hub = { nation: 'LAP', org: 'exchange.laputa' };
const far = { nation: 'LUG', org: 'Luggnagg CERT' };
const text = `accord "uto-lug" {
  title     = "Utopia and Luggnagg, over Laputa"
  version   = 1
  mode      = operational
  effective = "2026-01-01"
  expires   = never
  purpose   = [net-defence]

  party "LUG" {
    org  = "${far.org}"
    keys = "keylog:lug"
  }
  party "UTO" {
    org  = "Utopia CERT"
    keys = "keylog:uto"
  }
  relay "${hub.org}" {
    read = no
  }
  scope {
    organization = receiving-org
    clients      = none
    community    = parties
  }
  give "malware" {
    from    = any
    kind    = [malware]
    ceiling = AMBER
  }
  handle {
    default = AMBER
    retain  = "365d"
    onward  = none
  }
  suspend { by = any-party }
  terminate {
    notice = "30d"
    purge  = "30d"
  }
}
`;
const amber = 'marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421';
const at = '2026-03-02T08:00:00.000Z';
const object = (n: number, name: string) => ({ type: 'malware', spec_version: '2.1', id: `malware--5b0d1e00-0000-4000-8000-0000000000e${n}`, created: at, modified: at, name, is_family: false, object_marking_refs: [amber] });

let browser: Browser;
let relay: Running;
let partner: Running;
let cookie: string;

const mine = () => inject('data');
const file = (name: string) => join(mine(), 'relay-' + name);
const here = (as: string, method: string, path: string): Promise<Answer> => ask(inject('base'), mine(), method, '/api/v1' + path, { headers: { Authorization: 'Bearer ' + inject('tokens')[as] } });

/** Gives one node the card of another, with an address or with none. */
function knows(data: string, of: string, door?: string): void {
  writeFileSync(file('card'), run('peer', 'card', '--data', of, ...(door ? ['--address', door] : [])));
  run('peer', 'add', '--data', data, file('card'), '--yes');
}

/** Has a node hand in something and share it under the accord. */
function gives(data: string, n: number, name: string): void {
  writeFileSync(file('one.json'), JSON.stringify(object(n, name)));
  run('object', 'import', '--data', data, file('one.json'));
  run('object', 'share', '--data', data, object(n, name).id, '--accord', 'uto-lug');
}

beforeAll(async () => {
  browser = await launch();
  const door = `127.0.0.1:${await freePort()}`;
  relay = await start({ 'entente.toml': listening(door) + '[relay]\ncarry = ["UTO", "LUG"]\n' }, hub);
  partner = await start({}, far);
  knows(mine(), relay.data, door);
  knows(mine(), partner.data);
  knows(relay.data, mine());
  knows(relay.data, partner.data);
  knows(partner.data, relay.data, door);
  knows(partner.data, mine());
  // The text goes from hand to hand: the nodes do not reach each other.
  writeFileSync(file('pact.accord'), text);
  run('accord', 'sign', '--data', mine(), file('pact.accord'), '--yes');
  writeFileSync(file('one.signed'), run('accord', 'export', '--data', mine(), 'uto-lug'));
  run('accord', 'sign', '--data', partner.data, file('one.signed'), '--yes');
  writeFileSync(file('both.signed'), run('accord', 'export', '--data', partner.data, 'uto-lug'));
  run('accord', 'add', '--data', mine(), file('both.signed'));
  gives(partner.data, 1, 'Struldbrug');
  gives(mine(), 2, 'Balnibarbi');
  writeFileSync(file('password'), password + '\n', { mode: 0o600 });
  run('user', 'add', '--data', relay.data, 'ada', '--role', 'admin', '--password-file', file('password'));
  cookie = await signIn(relay.base, relay.data, 'ada', password);
});
afterAll(async () => {
  await browser.close();
  for (const { nation } of [hub, far]) await here('ada', 'DELETE', '/peers/' + nation);
  await relay?.stop();
  await partner?.stop();
});

/** How the relay and what came over it are, in the figures of the node. */
const carried = async () => {
  const [health, links] = await Promise.all([here('ada', 'GET', '/relay'), here('ada', 'GET', '/links')]);
  const r = health.body.relays?.find((x: { nation: string }) => x.nation === hub.nation);
  return { up: r?.up, given: r?.given > 0, got: r?.got > 0, over: links.body.items.find((l: { nation: string }) => l.nation === far.nation)?.relay };
};

test.each(['light', 'dark'] as const)('a relay, and who is heard over it, stand in the picture and in the tables (%s)', async (scheme) => {
  await expect.poll(carried, { timeout: 120_000 }).toEqual({ up: true, given: true, got: true, over: hub.org });
  const v = await visit(browser, { as: 'ada', scheme });
  const { page } = v;
  await page.goto('/app/links');
  const shown = page.getByRole('group', { name: 'The alliance, seen from this node' });
  await shown.getByRole('link', { name: /^LAP.*, exchange.laputa: Connected, Relay$/ }).waitFor();
  await page.getByRole('list', { name: 'What the lines mean' }).getByText('Last came over a relay').waitFor();
  const table = page.getByRole('region', { name: 'Relays that carry for this node', exact: true });
  await table.getByRole('row', { name: /^LAP exchange.laputa Connected Shows what it signed for No LUG/ }).waitFor();
  await page.getByRole('row', { name: /^LUG Luggnagg CERT over the relay exchange.laputa/ }).waitFor();
  await shown.getByRole('link', { name: /^LUG.*over the relay exchange.laputa$/ }).click();
  await page.getByRole('heading', { name: 'LUG · Luggnagg CERT' }).waitFor();
  await accessible(page);
  await picture(page, `relay-${scheme}`);
  await page.goto('/app/objects/' + object(1, '').id + '?tab=provenance');
  await page.getByText('Over the relay exchange.laputa').first().waitFor();
  await accessible(page);
  await leave(v);
});

test('the relay says what it carries for whom, and has nothing of it', async () => {
  const v = await visit(browser, { at: relay.base });
  const [name = '', value = ''] = cookie.split('=');
  await v.context.addCookies([{ name, value, url: relay.base, httpOnly: true, secure: true, sameSite: 'Strict' }]);
  const { page } = v;
  await page.goto('/app/links');
  await page.getByRole('img', { name: 'LAP: this node, which carries for others' }).waitFor();
  const table = page.getByRole('region', { name: 'What this node carries for others', exact: true });
  await table.getByRole('row', { name: /^LUG Luggnagg CERT .*Utopia CERT \(UTO\)/ }).first().waitFor();
  await table.getByRole('row', { name: /^UTO Utopia CERT .*Luggnagg CERT \(LUG\)/ }).first().waitFor();
  await page.getByText('Closed boxes that only their readers open').waitFor();
  await accessible(page);
  await picture(page, 'relay-carries');
  await page.goto('/app/search?q=Struldbrug');
  await page.getByText('Nothing found').first().waitFor();
  await leave(v);
});

test('a relay that stops is an alarm, and so it is on a phone, in German', async () => {
  await relay.stop();
  const v = await visit(browser, { as: 'ada', width: 390, height: 844 });
  const { page } = v;
  await page.addInitScript(() => localStorage.setItem('entente.language', '"de"'));
  await page.goto('/app/links?link=LAP');
  await page.getByText('Der Knoten von LAP antwortet nicht').waitFor({ timeout: 120_000 });
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await picture(page, 'relay-phone');
  await leave(v);
});
