import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessible, launch, leave, visit } from './browser';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

describe.each(['light', 'dark'] as const)('the shell in %s', (scheme) => {
  test('is shown to whoever is signed in, with the places their roles reach', async () => {
    const v = await visit(browser, { as: 'ana', scheme });
    await v.page.goto('/');
    await v.page.getByRole('heading', { level: 1 }).waitFor();
    await v.page.getByRole('navigation').getByRole('link', { name: 'Search' }).click();
    await v.page.waitForURL('**/app/search');
    await accessible(v.page);
    await leave(v);
  });
});

test('an address that is none of the console is said to be none', async () => {
  const v = await visit(browser, { as: 'rita' });
  await v.page.goto('/app/nowhere');
  await v.page.getByRole('heading', { name: 'No such page' }).waitFor();
  await accessible(v.page);
  await leave(v);
});

test('the keyboard reaches everything: ? helps, g h goes home, / searches', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto('/app/search');
  await v.page.getByRole('heading', { level: 1 }).waitFor();
  await v.page.keyboard.press('?');
  await v.page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await accessible(v.page);
  await v.page.keyboard.press('Escape');
  await expect.poll(async () => { // the second is to come soon after the first
    await v.page.keyboard.press('g');
    await v.page.keyboard.press('h');
    return new URL(v.page.url()).pathname;
  }, { interval: 2000 }).toBe('/');
  await v.page.keyboard.press('/');
  await expect.poll(() => v.page.evaluate(() => document.activeElement?.id)).toBe('search');
  await leave(v);
});
