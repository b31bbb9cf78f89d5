import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { signIn } from './person';
import { password, run, start, type Running } from './setup';

let browser: Browser;
let node: Running;
let cookie: string;

beforeAll(async () => {
  browser = await launch();
  node = await start({}, { nation: 'UTO', org: 'Utopia CERT', realm: 'exercise:storm' });
  const file = join(node.data, 'stories.password');
  writeFileSync(file, password + '\n', { mode: 0o600 });
  run('user', 'add', '--data', node.data, 'ana', '--role', 'analyst,signatory,registrar', '--password-file', file);
  cookie = await signIn(node.base, node.data, 'ana', password);
});
afterAll(async () => {
  await browser.close();
  await node.stop();
});

/** The banner, which is in sight, cannot be closed, and stays when the page is scrolled. */
async function marked(page: Page, words = 'EXERCISE storm'): Promise<void> {
  const banner = page.locator('.exercise');
  await banner.getByText(words).waitFor();
  expect(await banner.getByRole('button').count()).toBe(0);
  await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
  const box = await banner.boundingBox();
  expect(box?.y).toBe(0);
  await expect.poll(() => page.title()).toMatch(new RegExp(`^\\[${words}\\] `));
}

test('whoever signs in to a node of an exercise is told so before', async () => {
  const v = await visit(browser, { at: node.base });
  await v.page.goto('/');
  await v.page.getByRole('button', { name: 'Sign in' }).waitFor();
  await marked(v.page);
  await accessible(v.page);
  await leave(v);
});

test('every page of an exercise says which it is, on the screen and on every sheet', async () => {
  const v = await visit(browser, { at: node.base });
  const [name = '', value = ''] = cookie.split('=');
  await v.context.addCookies([{ name, value, url: node.base, httpOnly: true, secure: true, sameSite: 'Strict' }]);
  await v.page.goto('/');
  await v.page.getByRole('navigation').first().waitFor();
  const places = await v.page.getByRole('navigation').first().getByRole('link').evaluateAll((all) => all.map((a) => a.getAttribute('href') ?? ''));
  expect(places.length).toBeGreaterThan(5);
  for (const place of [...places, '/app/you', '/app/nowhere', '/app/accords/new']) {
    await v.page.goto(place);
    await v.page.getByRole('heading', { level: 1 }).waitFor();
    await marked(v.page);
  }
  await accessible(v.page);
  await v.page.emulateMedia({ media: 'print' });
  expect(await v.page.locator('.watermark').evaluate((e) => [getComputedStyle(e).display, getComputedStyle(e).position])).toEqual(['block', 'fixed']);
  await v.page.locator('.exercise').getByText('EXERCISE storm').waitFor();
  await v.page.emulateMedia({ media: 'screen' });
  expect(await v.page.locator('.watermark').isVisible()).toBe(false);
  await v.page.goto('/');
  await picture(v.page, 'exercise');
  await v.page.getByText('ana', { exact: true }).first().click();
  await v.page.getByLabel('Language').selectOption('de');
  await marked(v.page, 'ÜBUNG storm');
  await v.page.locator('.exercise').getByText('Nichts auf dieser Seite ist echt.').waitFor();
  await leave(v);
});

test('a node of operations says nothing of the kind', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto('/');
  await v.page.getByRole('heading', { level: 1 }).waitFor();
  expect(await v.page.locator('.exercise, .watermark').count()).toBe(0);
  expect(await v.page.title()).not.toMatch(/EXERCISE/);
  await leave(v);
});
