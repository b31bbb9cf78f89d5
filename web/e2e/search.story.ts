import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test.each(['light', 'dark'] as const)('results come with every letter, facets narrow them, and the address says it all, in %s', async (scheme) => {
  const v = await visit(browser, { as: 'ana', scheme });
  const { page } = v;
  await page.goto('/app/search');
  await page.getByRole('heading', { name: 'Newest first' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('exampl');
  await page.getByRole('main').getByRole('link', { name: /ExampleLoader/ }).first().waitFor();
  await page.waitForURL('**/app/search?q=exampl');
  await page.keyboard.press('Escape');
  const all = await page.getByRole('main').getByRole('status').first().textContent();
  await page.getByRole('group', { name: 'Type' }).getByLabel(/Malware/).check();
  await page.waitForURL('**type=malware**');
  await expect.poll(() => page.getByRole('main').getByRole('status').first().textContent()).not.toBe(all);
  await accessible(page);
  await page.reload();
  expect(await page.getByRole('group', { name: 'Type' }).getByLabel(/Malware/).isChecked()).toBe(true);
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.waitForURL(/search\?q=exampl$/);
  await page.locator('ol[aria-busy=false]').waitFor();
  await picture(page, scheme === 'light' ? 'search' : 'search-dark');
  await leave(v);
});

test.each(['light', 'dark'] as const)('words go on as one types, and arrows choose, in %s', async (scheme) => {
  const v = await visit(browser, { as: 'ana', scheme });
  const { page } = v;
  await page.goto('/');
  await page.getByRole('heading', { name: 'What is new' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('low examp');
  const field = page.getByRole('combobox', { name: 'Search the node' });
  const list = page.getByRole('listbox', { name: 'How the word may go on' });
  await list.getByRole('option').first().waitFor();
  expect(await field.getAttribute('aria-expanded')).toBe('true');
  expect(await field.getAttribute('aria-activedescendant')).toBe(null);
  await page.keyboard.press('ArrowDown');
  const first = list.getByRole('option').first();
  expect(await first.getAttribute('aria-selected')).toBe('true');
  expect(await field.getAttribute('aria-activedescendant')).toBe(await first.getAttribute('id'));
  await accessible(page);
  if (scheme === 'light') await picture(page, 'suggestions');
  const word = (await first.locator('span').first().textContent()) ?? '';
  expect(word).toMatch(/^examp/);
  await page.keyboard.press('Enter');
  await page.waitForURL((u) => u.pathname === '/app/search' && u.searchParams.get('q') === 'low ' + word);
  expect(await field.inputValue()).toBe('low ' + word);
  expect(await list.isVisible()).toBe(false);

  // Escape closes the list and leaves what was typed; Enter without a choice seeks that.
  await field.fill('');
  await page.keyboard.type('examp');
  await list.getByRole('option').first().waitFor();
  await page.keyboard.press('Escape');
  await list.waitFor({ state: 'hidden' });
  expect(await field.inputValue()).toBe('examp');
  await page.waitForURL((u) => u.searchParams.get('q') === 'examp');
  await page.keyboard.type('l');
  await list.getByRole('option').first().click();
  await page.waitForURL((u) => (u.searchParams.get('q') ?? '').length > 6);
  await leave(v);
});

test('a value is sought with what is around it', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto('/app/search?q=mooring.example');
  await v.page.getByRole('link', { name: /Also networks, parents and subdomains/ }).click();
  await v.page.waitForURL('**q=value%3Amooring.example');
  await v.page.getByRole('link', { name: /Mooring beacon/ }).waitFor();
  await leave(v);
});

test('nothing found is said, and a query that cannot be read is explained by the node', async () => {
  const v = await visit(browser, { as: 'rita' });
  await v.page.goto('/app/search?q=zzzzzzzz');
  await v.page.getByText('Nothing found').waitFor();
  await accessible(v.page);
  await v.page.getByLabel('Search the node').fill('since:yesteryear');
  await v.page.getByRole('alert').waitFor();
  await accessible(v.page);
  await leave(v);
});

test('a node that does not answer is said to be offline, and asked again', async () => {
  const v = await visit(browser, { as: 'rita' });
  await v.page.goto('/app/search');
  await v.page.getByRole('heading', { name: 'Newest first' }).waitFor();
  await v.page.route('**/api/v1/search?*', (r) => r.abort());
  await v.page.getByLabel('Search the node').fill('low');
  await v.page.getByRole('alert').getByText('The node does not answer').waitFor();
  await v.page.unroute('**/api/v1/search?*');
  await v.page.getByLabel('Search the node').fill('low tide');
  await v.page.getByRole('link', { name: /Low Tide/ }).first().waitFor();
  await leave(v);
});
