import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit, type Visit } from './browser';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

/** Hands in an object whose marking nobody here knows. */
async function handIn(v: Visit, n: number, name: string, marking = `marking-definition--0a8a2f63-6c0c-4a55-8d68-7a0e9d1c2b${n}`): Promise<void> {
  const object = { type: 'campaign', spec_version: '2.1', id: `campaign--0c8a2f63-6c0c-4a55-8d68-7a0e9d1c2b${n}`, created: '2026-01-01T00:00:00.000Z', modified: '2026-01-01T00:00:00.000Z', name, description: 'Seen by a partner in two ports.', object_marking_refs: [marking] };
  const res = await v.context.request.post('/api/v1/objects', { headers: { Authorization: 'Bearer ' + inject('tokens').ana }, data: JSON.stringify(object) });
  expect(await res.text()).toContain('"held":1');
}

test.each(['light', 'dark'] as const)('an officer releases one held object under a label and refuses another (%s)', async (scheme) => {
  const v = await visit(browser, { as: 'otto', scheme });
  const [one, two] = scheme === 'light' ? [10, 11] : [20, 21];
  await handIn(v, one, `Ebb ${scheme}`);
  await handIn(v, two, `Flow ${scheme}`);
  await v.page.goto('/app/quarantine');
  await v.page.getByRole('navigation', { name: 'Held objects' }).getByRole('link', { name: new RegExp(`Ebb ${scheme}`) }).click();
  await v.page.getByRole('heading', { name: `Ebb ${scheme}` }).waitFor();
  await v.page.getByText('It names a marking definition that is not here.').waitFor();
  await accessible(v.page);
  if (scheme === 'dark') await picture(v.page, 'quarantine');

  await v.page.keyboard.press('r');
  const dialog = v.page.getByRole('dialog');
  await dialog.getByRole('radio', { name: 'TLP:AMBER', exact: true }).check();
  await dialog.getByText('Your organisation and its clients may read this.').waitFor();
  await accessible(v.page);
  await dialog.getByRole('button', { name: 'Release', exact: true }).click();
  await v.page.getByText(`Ebb ${scheme} is released`).waitFor();

  await v.page.getByRole('navigation', { name: 'Held objects' }).getByRole('link', { name: new RegExp(`Flow ${scheme}`) }).click();
  await v.page.getByRole('heading', { name: `Flow ${scheme}` }).waitFor();
  await v.page.getByRole('button', { name: 'Refuse' }).click();
  await v.page.getByText('The object is destroyed here and cannot be brought back.').waitFor();
  await v.page.getByRole('dialog').getByRole('button', { name: 'Refuse', exact: true }).click();
  await v.page.getByText(`Flow ${scheme} is refused and destroyed`).waitFor();

  await v.page.goto(`/app/objects/campaign--0c8a2f63-6c0c-4a55-8d68-7a0e9d1c2b${one}`);
  await v.page.getByRole('heading', { name: `Ebb ${scheme}` }).waitFor();
  await v.page.getByText('TLP:AMBER', { exact: true }).first().waitFor();
  await leave(v);
});

test('an analyst sees what is held and decides nothing', async () => {
  const v = await visit(browser, { as: 'ana' });
  await handIn(v, 30, 'Slack water');
  await v.page.goto('/app/quarantine');
  await v.page.getByText('An officer decides on it.').waitFor();
  expect(await v.page.getByRole('button', { name: 'Release' }).count()).toBe(0);
  await leave(v);
});
