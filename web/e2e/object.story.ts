import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, leave, picture, settled, visit } from './browser';
import { doubtful, growing, shifting, spare } from './records';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

const lowTide = 'campaign--25697df6-b9e7-4207-b539-410c300dc035';

test.each(['light', 'dark'] as const)('every part of an object is shown without barriers, in %s', async (scheme) => {
  const v = await visit(browser, { as: 'otto', scheme });
  const { page } = v;
  await page.goto('/app/objects/' + lowTide);
  await page.getByRole('heading', { level: 1, name: 'Low Tide' }).waitFor();
  await page.getByText('Your organisation, its clients and the community may read this.').waitFor();
  await accessible(page);
  if (scheme === 'light') await picture(page, 'object');
  await page.getByRole('tab', { name: /Connections/ }).click();
  await page.getByRole('link', { name: /Hollow Anchor|loader/i }).first().waitFor();
  await accessible(page);
  await page.getByRole('button', { name: 'Graph' }).click();
  await page.getByRole('group', { name: 'Connections of Low Tide' }).waitFor();
  await accessible(page);
  if (scheme === 'dark') await picture(page, 'graph-dark');
  await page.getByRole('tab', { name: 'JSON' }).click();
  await page.getByText('"spec_version"').waitFor();
  await accessible(page);
  await leave(v);
});

test('one walks through the graph from object to object', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto(`/app/objects/${lowTide}?tab=connections&view=graph`);
  const node = v.page.locator('svg a.node').first();
  await node.waitFor();
  await settled(v.page); // which of them comes first is known when all are there
  await node.focus();
  const said = (await v.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) ?? '';
  await v.page.keyboard.press('Enter');
  await v.page.waitForURL((u) => !u.pathname.endsWith(lowTide) && u.search.includes('view=graph'));
  await expect.poll(async () => said.endsWith(' ' + (await v.page.getByRole('heading', { level: 1 }).textContent())?.trim())).toBe(true);
  await leave(v);
});

test.each(['light', 'dark'] as const)('how two objects are connected is told as chains of names, by keyboard, in %s', async (scheme) => {
  const v = await visit(browser, { as: 'rita', scheme });
  const { page } = v;
  await page.goto('/app/objects/' + lowTide);
  await page.getByRole('tab', { name: 'Ways to others' }).click();
  await accessible(page);
  await page.getByLabel('How is Low Tide connected with …?').focus();
  await page.keyboard.type('ExampleLoader');
  await page.getByRole('option', { name: /ExampleLoader/ }).first().waitFor();
  await accessible(page);
  await page.keyboard.press('Enter');
  await page.waitForURL('**tab=paths&to=**');
  const way = page.getByRole('listitem', { name: 'Way 1', exact: true });
  await way.getByText('Low Tide').waitFor();
  await way.getByRole('link', { name: /ExampleLoader/ }).waitFor();
  await page.getByText(/The shortest ha(s|ve)/).waitFor();
  await accessible(page);
  if (scheme === 'light') await picture(page, 'paths');
  // What was chosen stands in the address, and every name leads on.
  await page.reload();
  await way.getByRole('link', { name: /ExampleLoader/ }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: /ExampleLoader/ }).waitFor();
  await page.goto(`/app/objects/${lowTide}?tab=paths&to=${growing}`);
  await page.getByText('No way found').waitFor();
  await accessible(page);
  await page.goto(`/app/objects/${lowTide}?tab=paths&to=tool--00000000-0000-4000-8000-000000000000`);
  await page.getByRole('main').getByText(/Not there|No way found/).waitFor();
  await leave(v);
});

test('two versions are compared', async () => {
  const v = await visit(browser, { as: 'rita' });
  await v.page.goto(`/app/objects/${shifting}?tab=versions`);
  const row = (where: string) => v.page.getByRole('row').filter({ has: v.page.getByRole('cell', { name: where, exact: true }) });
  await row('description').waitFor();
  expect(await row('description').innerText()).toMatch(/nine minutes[\s\S]*seven minutes/);
  expect(await row('confidence').innerText()).toMatch(/nothing[\s\S]*80/);
  expect(await row('labels').innerText()).toMatch(/unverified[\s\S]*nothing/);
  await accessible(v.page);
  await picture(v.page, 'versions');
  await leave(v);
});

test('who may see it is answered for an organisation, with every reason', async () => {
  const v = await visit(browser, { as: 'ana' });
  const { page } = v;
  await page.goto('/app/objects/' + shifting);
  await page.getByRole('button', { name: 'Who else, and why?' }).click();
  await page.getByText('May see it', { exact: true }).waitFor();
  await page.getByLabel('Ask for an organisation').fill('Erewhon CERT');
  await page.getByLabel('Nation').fill('xer');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('May not see it').waitFor();
  await page.getByText('[tlp.green]').waitFor();
  await accessible(page);
  await picture(page, 'access');
  await leave(v);
});

test('what is not for a reader is not there, and the node says so in its words', async () => {
  const v = await visit(browser, { as: 'rita' });
  await v.page.goto('/app/objects/tool--00000000-0000-4000-8000-000000000000');
  await v.page.getByRole('alert').getByText('Not there').waitFor();
  await v.page.getByText(/quote/).waitFor();
  await accessible(v.page);
  await leave(v);
});

test('where it came from and how it got its label is told', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto(`/app/objects/${shifting}?tab=provenance`);
  await v.page.getByText('Starter set').first().waitFor();
  await v.page.getByText('How it got its label').first().waitFor();
  await accessible(v.page);
  await leave(v);
});

test('an own object is put under a stricter label, after the node said what would change', async () => {
  const v = await visit(browser, { as: 'ana' });
  const { page } = v;
  await page.goto('/app/objects/' + growing);
  await page.getByRole('button', { name: 'Change the label' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: 'TLP:AMBER', exact: true }).check();
  await dialog.getByRole('button', { name: 'What would change?' }).click();
  await dialog.getByText('Not wider').waitFor();
  await accessible(page);
  await dialog.getByRole('button', { name: 'Change the label' }).click();
  await page.getByText('1 version has another label').waitFor();
  await page.getByText('Your organisation and its clients may read this.').waitFor();
  await leave(v);
});

test('a held object says that it is held', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto('/app/objects/' + doubtful);
  await v.page.getByText('In quarantine').waitFor();
  await leave(v);
});

test('an analyst removes an object from a collection', async () => {
  const v = await visit(browser, { as: 'ana' });
  const { page } = v;
  await page.goto('/app/objects/' + spare[0]);
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByLabel('Collection').selectOption({ label: 'Starter set' });
  await accessible(page);
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText('1 version was removed').waitFor();
  await leave(v);
});

test('an officer purges an object, after seeing what would go and saying so', async () => {
  const v = await visit(browser, { as: 'otto' });
  const { page } = v;
  await page.goto('/app/objects/' + spare[1]);
  await page.getByRole('button', { name: 'Purge…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('1 version would go.').waitFor();
  expect(await dialog.getByRole('button', { name: 'Purge' }).isEnabled()).toBe(false);
  await dialog.getByLabel('I want it to be gone for good').check();
  await accessible(page);
  await dialog.getByRole('button', { name: 'Purge' }).click();
  await page.getByText('1 version was purged').waitFor();
  await page.goto('/app/objects/' + spare[1]);
  await page.getByRole('alert').getByText('Not there').waitFor();
  await leave(v);
});
