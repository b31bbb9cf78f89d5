import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, visit } from './browser';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test('an administrator makes a token, which is told once and works until it is revoked', async () => {
  const v = await visit(browser, { as: 'ada' });
  await v.page.goto('/app/admin?part=tokens');
  await v.page.getByRole('button', { name: 'Make a token' }).click();
  const dialog = v.page.getByRole('dialog', { name: 'Make a token' });
  await dialog.getByLabel('Name', { exact: true }).fill('harbour-sensor');
  await accessible(v.page);
  await dialog.getByRole('button', { name: 'Make a token' }).click();
  const told = v.page.getByRole('dialog', { name: 'The token is made' });
  const secret = (await told.locator('pre').textContent()) ?? '';
  await accessible(v.page);
  await told.getByRole('button', { name: 'I have kept it' }).click();
  expect(await v.page.getByText(secret).count()).toBe(0);

  const me = async () => (await fetchMe(secret)).status;
  expect(await me()).toBe(200);
  await v.page.getByRole('button', { name: 'Revoke harbour-sensor' }).click();
  await v.page.getByRole('dialog').getByText('Whatever uses it is refused from now on.').waitFor();
  await v.page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await v.page.getByText('harbour-sensor is revoked').waitFor();
  expect(await me()).toBe(401);
  await leave(v);

  async function fetchMe(token: string) {
    const other = await browser.newContext({ ignoreHTTPSErrors: true, baseURL: inject('base') });
    const res = await other.request.get('/api/v1/me', { headers: { Authorization: 'Bearer ' + token } });
    await other.close();
    return { status: res.status() };
  }
});

test('an account is added, changed and removed, and a mistake stands at its field', async () => {
  const v = await visit(browser, { as: 'ada' });
  await v.page.goto('/app/admin');
  await v.page.getByRole('button', { name: 'Add an account' }).click();
  const dialog = v.page.getByRole('dialog');
  await dialog.getByLabel('Account', { exact: true }).fill('not a name!');
  await dialog.getByRole('textbox', { name: 'Password' }).fill('a long enough password');
  await dialog.getByRole('button', { name: 'Add an account' }).click();
  await expect.poll(() => dialog.locator('input[aria-invalid=true], [role=alert]').count()).toBe(1);
  await dialog.getByLabel('Account', { exact: true }).fill('neo');
  await dialog.getByRole('button', { name: 'Add an account' }).click();
  await v.page.getByText('neo has an account').waitFor();
  await v.page.getByRole('button', { name: 'Change neo' }).click();
  await dialog.getByRole('checkbox', { name: /^Disabled/ }).check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await v.page.getByRole('row', { name: /neo/ }).getByText('Disabled').waitFor();
  await v.page.getByRole('button', { name: 'Remove neo' }).click();
  await accessible(v.page);
  await dialog.getByRole('button', { name: 'Remove the account' }).click();
  await v.page.getByText('neo is removed').waitFor();
  await leave(v);
});

test('an organisation, a community and a collection are kept', async () => {
  const v = await visit(browser, { as: 'ada' });
  await v.page.goto('/app/admin?part=orgs');
  await v.page.getByRole('button', { name: 'Register an organisation' }).click();
  const dialog = v.page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Organisation' }).fill('Harbour Authority');
  await dialog.getByRole('checkbox').check();
  await dialog.getByRole('button', { name: 'Register' }).click();
  await v.page.getByRole('row', { name: /Harbour Authority/ }).waitFor();
  await v.page.getByRole('button', { name: 'Add a community' }).click();
  await dialog.getByLabel('Community').fill('ports');
  await dialog.getByLabel('Harbour Authority').check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await v.page.getByText('ports is kept').waitFor();

  await v.page.getByRole('tab', { name: 'Collections' }).click();
  await v.page.getByRole('button', { name: 'Add a collection' }).click();
  await dialog.getByLabel('Title').fill('Ports');
  await dialog.getByLabel('Alias').fill('ports');
  await dialog.getByRole('radio', { name: 'TLP:GREEN' }).check();
  await accessible(v.page);
  await dialog.getByRole('button', { name: 'Add a collection' }).click();
  await v.page.getByRole('row', { name: /Ports/ }).getByText('TLP:GREEN').waitFor();
  await leave(v);
});

test.each(['light', 'dark'] as const)('no part of the administration has barriers (%s)', async (scheme) => {
  const v = await visit(browser, { as: 'ada', scheme });
  await v.page.goto('/app/admin');
  for (const name of ['Accounts', 'Tokens', 'Certificates', 'Organisations', 'Collections', 'Sessions', 'Node']) {
    await v.page.getByRole('tab', { name }).click();
    await v.page.getByRole('tabpanel').getByRole('heading').first().waitFor();
    await accessible(v.page);
  }
  await leave(v);
});

test.each(['light', 'dark'] as const)('an auditor reads the journal, newest first, and narrows it (%s)', async (scheme) => {
  const v = await visit(browser, { as: 'otto', scheme });
  await v.page.goto('/app/admin');
  await v.page.getByRole('tab').first().waitFor();
  expect((await v.page.getByRole('tab').allTextContents()).map((x) => x.trim())).toEqual(['Journal', 'Node']);
  const rows = v.page.getByRole('table').locator('tbody tr');
  const times = async () => (await rows.locator('time').evaluateAll((all) => all.map((x) => x.getAttribute('datetime') ?? '')));
  await rows.first().waitFor();
  await accessible(v.page);
  const newest = await times();
  expect(newest).toEqual([...newest].sort().reverse());
  await v.page.getByLabel('Did').selectOption({ label: 'Tokens' });
  await v.page.waitForURL('**verb=token**');
  await expect.poll(async () => new Set((await rows.locator('code').allTextContents()).map((x) => x.split('.')[0]))).toEqual(new Set(['token']));
  await v.page.getByLabel('Who', { exact: true }).fill('local');
  await v.page.keyboard.press('Enter');
  await v.page.waitForURL('**actor=local**');
  await v.page.getByRole('combobox', { name: 'Order' }).selectOption({ label: 'Oldest first' });
  await v.page.waitForURL('**sort=oldest**');
  await expect.poll(async () => { const all = await times(); return all.length > 3 && all.join() === [...all].sort().join(); }).toBe(true);
  await v.page.getByLabel('To this day').fill('2020-01-01');
  await v.page.getByText('No act fits').waitFor();
  await accessible(v.page);
  await v.page.getByRole('button', { name: 'Clear filters' }).click();
  await rows.nth(20).waitFor();
  await leave(v);
});
