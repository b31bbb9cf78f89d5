import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, leave, visit } from './browser';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test('a report is drafted, kept, published, and gets a new version', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto('/app/write');
  await v.page.getByRole('button', { name: 'Publish' }).click();
  await v.page.getByText('A report needs a title.').waitFor();
  await v.page.getByLabel('Title').fill('Quay watch');
  await v.page.getByLabel('Text').fill('What the port saw.\n\nThree nights in a row.');
  await v.page.reload();
  expect(await v.page.getByLabel('Title').inputValue()).toBe('Quay watch'); // the draft is kept
  await v.page.getByRole('combobox', { name: 'Find an object' }).fill('low tide');
  await v.page.getByRole('listbox').getByRole('option').first().waitFor();
  await v.page.keyboard.press('ArrowDown');
  await v.page.keyboard.press('Enter');
  await v.page.getByRole('radio', { name: 'TLP:GREEN' }).check();
  await v.page.waitForTimeout(200);
  await accessible(v.page);
  await v.page.getByRole('button', { name: 'Publish' }).click();
  await v.page.getByRole('heading', { name: 'Quay watch', level: 1 }).waitFor();

  await v.page.getByRole('link', { name: 'New version' }).click();
  await v.page.getByRole('heading', { name: 'New version' }).waitFor();
  await expect.poll(() => v.page.getByLabel('Title').inputValue()).toBe('Quay watch');
  await v.page.getByLabel('Title').fill('Quay watch, corrected');
  await v.page.getByRole('button', { name: 'Publish the new version' }).click();
  await v.page.getByRole('heading', { name: 'Quay watch, corrected', level: 1 }).waitFor();
  await leave(v);
});

test('a file is stored under a label and destroyed', async () => {
  const v = await visit(browser, { as: 'ana', scheme: 'dark' });
  await v.page.goto('/app/write');
  await v.page.getByLabel('Title').waitFor();
  await accessible(v.page);
  await v.page.goto('/app/blobs');
  await v.page.getByRole('heading', { name: 'Files', level: 1 }).waitFor();
  await v.page.waitForFunction(() => !document.querySelector('.waiting'));
  await accessible(v.page);
  await v.page.locator('input[type=file]').setInputFiles({ name: 'quay.txt', mimeType: 'text/plain', buffer: Buffer.from('three nights') });
  const dialog = v.page.getByRole('dialog');
  await dialog.getByRole('radio', { name: 'TLP:GREEN' }).check();
  await accessible(v.page);
  await dialog.getByRole('button', { name: 'Store it' }).click();
  await v.page.getByRole('row', { name: /quay\.txt/ }).getByText('TLP:GREEN').waitFor();
  await accessible(v.page);
  await v.page.getByRole('button', { name: 'Destroy quay.txt' }).click();
  await dialog.getByRole('button', { name: 'Destroy', exact: true }).click();
  await v.page.getByText('quay.txt is destroyed').waitFor();
  await leave(v);
});
