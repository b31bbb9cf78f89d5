import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, settled, visit, type Visit } from './browser';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test('a constituent is added with a mistake at its field, then found by an address of its own', async () => {
  const v = await visit(browser, { as: 'reg' });
  await v.page.goto('/app/constituents');
  await v.page.getByRole('link', { name: 'Add a constituent' }).first().click();
  await v.page.getByLabel('Name', { exact: true }).first().fill('Harbour Authority');
  await v.page.getByRole('button', { name: 'Add a contact' }).click();
  const contact = v.page.getByRole('group', { name: 'New contact' });
  await contact.getByLabel('E-mail').fill('desk@harbour.example');
  await contact.getByLabel('Duty hours').selectOption({ label: 'At certain hours' });
  await contact.getByLabel('Time zone').fill('Europe/Berlin');
  await contact.getByLabel('Name', { exact: true }).fill('Duty desk');
  await v.page.getByRole('button', { name: 'Add a network' }).click();
  await v.page.getByRole('textbox', { name: 'Range' }).fill('192.0.2.0/99');
  await v.page.getByRole('button', { name: 'Save' }).click();
  await expect.poll(() => v.page.getByRole('textbox', { name: 'Range' }).getAttribute('aria-invalid')).toBe('true');
  await accessible(v.page);
  await v.page.getByRole('textbox', { name: 'Range' }).fill('192.0.2.0/24');
  await v.page.getByRole('button', { name: 'Save' }).click();
  await v.page.getByRole('heading', { name: 'Harbour Authority', level: 1 }).waitFor();
  await v.page.getByText('Signed').first().waitFor();
  await v.page.getByText('08:00–17:00').first().waitFor();
  await accessible(v.page);

  await v.page.getByRole('link', { name: 'Constituents' }).first().click();
  await v.page.getByLabel('Value').fill('192.0.2.77');
  await v.page.getByRole('button', { name: 'Find', exact: true }).click();
  await v.page.getByText('lies in').first().waitFor();
  await v.page.getByRole('status').getByRole('link', { name: 'Harbour Authority' }).first().click();

  await v.page.getByRole('button', { name: 'Edit' }).click();
  await v.page.getByLabel('Criticality').first().selectOption({ label: 'Vital' });
  await v.page.getByRole('button', { name: 'Save' }).click();
  await v.page.getByRole('heading', { name: /Versions\s*2/ }).waitFor();
  await leave(v);
});

test('a table is looked at before it is taken in', async () => {
  const v = await visit(browser, { as: 'reg' });
  await v.page.goto('/app/constituents/import');
  await v.page.getByLabel('Text').fill('constituent,value,name\nGrid Operator,198.51.100.0/25,Control\nGrid Operator,grid.example,\nGrid Operator,nonsense value,\n');
  await v.page.getByRole('button', { name: 'Look at what would change' }).click();
  await v.page.getByText('Added: 1').waitFor();
  await v.page.getByText('Rows refused: 1').waitFor();
  await accessible(v.page);
  await v.page.getByRole('button', { name: 'Take it in' }).click();
  await v.page.getByRole('link', { name: 'Grid Operator' }).waitFor();
  await leave(v);
});

test.each(['light', 'dark'] as const)('the register has no barriers (%s)', async (scheme) => {
  const v = await visit(browser, { as: 'reg', scheme });
  await v.page.goto('/app/constituents');
  await v.page.getByRole('link', { name: 'Harbour Authority' }).waitFor();
  await accessible(v.page);
  await v.page.getByRole('link', { name: 'Harbour Authority' }).click();
  await v.page.getByRole('heading', { name: /Versions/ }).waitFor();
  await accessible(v.page);
  await leave(v);
});

/** Hands in an indicator about an address of the Harbour Authority, and waits until an alert about it stands there. */
async function raise(v: Visit, n: number, name: string, more: object): Promise<void> {
  const indicator = { type: 'indicator', spec_version: '2.1', id: `indicator--6a8a2f63-6c0c-4a55-8d68-7a0e9d1c2b${n}`, created: '2026-01-01T00:00:00.000Z', modified: '2026-01-01T00:00:00.000Z', name, pattern: "[ipv4-addr:value = '192.0.2.80']", pattern_type: 'stix', valid_from: '2026-01-01T00:00:00Z', object_marking_refs: ['marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb'], ...more };
  const res = await v.context.request.post('/api/v1/objects', { headers: { Authorization: 'Bearer ' + inject('tokens').ana }, data: JSON.stringify(indicator) });
  expect(await res.text()).toContain('"added":1');
  await expect.poll(async () => {
    await v.page.goto('/app/alerts?state=all');
    await settled(v.page);
    return v.page.getByRole('link', { name: new RegExp(name) }).first().isVisible();
  }, { interval: 1000 }).toBe(true);
}

test('what concerns a constituent raises an alert, with a draft that somebody else lets go', async () => {
  const v = await visit(browser, { as: 'ana', scheme: 'light' });
  await raise(v, 77, 'Beacon at the quay', { indicator_types: ['compromised'] });
  await v.page.getByRole('link', { name: /Beacon at the quay/ }).first().click();
  await v.page.getByRole('heading', { name: 'Beacon at the quay' }).waitFor();
  await v.page.getByText('Why it concerns Harbour Authority').waitFor();
  await v.page.getByText('192.0.2.80').first().waitFor();
  await v.page.getByRole('button', { name: 'Take it' }).click();
  await v.page.getByText('The alert is yours').waitFor();
  await v.page.getByRole('button', { name: 'Edit' }).waitFor();
  await accessible(v.page);
  await picture(v.page, 'alerts');
  await v.page.getByRole('button', { name: 'Edit' }).click();
  await v.page.getByLabel('Subject').fill('A beacon in your network');
  await v.page.getByRole('button', { name: 'Save' }).click();
  await v.page.getByText('The draft is saved').waitFor();
  expect(await v.page.getByRole('button', { name: 'Send' }).count()).toBe(0); // an analyst does not send
  await v.page.getByText(/Written by .*ana/).waitFor();
  await leave(v);

  const other = await visit(browser, { as: 'otto', scheme: 'dark' });
  await other.page.goto('/app/alerts');
  await other.page.getByRole('link', { name: /Beacon at the quay/ }).first().click();
  await other.page.getByRole('button', { name: 'Send' }).waitFor();
  await accessible(other.page);
  await other.page.getByRole('button', { name: 'Send' }).click();
  await other.page.getByRole('dialog', { name: 'Send this notification' }).waitFor();
  await accessible(other.page);
  await leave(other);
});

test.each(['light', 'dark'] as const)('what presses most stands first, whatever came last (%s)', async (scheme) => {
  const v = await visit(browser, { as: 'ana', scheme });
  await raise(v, scheme === 'light' ? 78 : 79, `Ripple ${scheme}`, { confidence: 10 });
  await v.page.goto('/app/alerts');
  const rows = v.page.getByRole('navigation', { name: 'Alerts', exact: true }).getByRole('link');
  await rows.nth(1).waitFor();
  await accessible(v.page);
  const ranks = async () => (await rows.allTextContents()).map((x) => ['Low', 'Medium', 'High', 'Critical'].findIndex((s) => x.includes(s)));
  const seen = await ranks();
  expect(seen).toEqual([...seen].sort((a, b) => b - a));
  expect(await rows.first().textContent()).toContain('Beacon at the quay');
  await v.page.getByLabel('Order').selectOption({ label: 'Newest first' });
  await v.page.waitForURL('**sort=newest**');
  await rows.first().getByText(`Ripple ${scheme}`).waitFor();
  await v.page.getByLabel('State').selectOption({ label: 'Taken' });
  await rows.first().getByText('Beacon at the quay').waitFor();
  expect(await rows.count()).toBe(1);
  await accessible(v.page);
  await leave(v);
});
