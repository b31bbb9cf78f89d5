import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { run } from './setup';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

let made = 0;

/** Imports a tool of that name, as somebody else would meanwhile. */
function arrive(name: string) {
  const id = `tool--7c1f4b1e-0000-4000-8000-${String(++made).padStart(12, '0')}`;
  const file = join(inject('data'), 'arrival.json');
  const now = '2026-03-01T10:00:00.000Z';
  writeFileSync(file, JSON.stringify({ type: 'bundle', id: 'bundle--5d0a8b57-3b1c-4a56-9f0e-2f6a3d1c9b03', objects: [{ type: 'tool', spec_version: '2.1', id, created: now, modified: now, name, object_marking_refs: ['marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487'] }] }));
  run('object', 'import', '--data', inject('data'), '--collection', 'starter', file);
  return id;
}

test.each(['light', 'dark'] as const)('the front page says what is new and what waits, in %s', async (scheme) => {
  const v = await visit(browser, { as: 'otto', scheme });
  await v.page.goto('/');
  await v.page.getByRole('heading', { name: 'What is new' }).waitFor();
  await v.page.getByRole('link', { name: /Quarantine/ }).first().waitFor();
  await v.page.getByText('Live', { exact: true }).waitFor();
  await accessible(v.page);
  await picture(v.page, scheme === 'light' ? 'home' : 'home-dark');
  await leave(v);
});

test('what comes to the node shows up by itself, and goes away again', async () => {
  const v = await visit(browser, { as: 'rita' });
  const { page } = v;
  await page.goto('/');
  await page.getByText('Live', { exact: true }).waitFor();
  const id = arrive('Quayside scanner');
  await page.getByRole('link', { name: /Quayside scanner/ }).waitFor();
  await page.getByText('1 since you opened this').first().waitFor();
  run('object', 'purge', '--data', inject('data'), id, '--yes');
  await page.getByText('Taken away').waitFor();
  await leave(v);
});

test('a page that was away goes on where it was', async () => {
  const v = await visit(browser, { as: 'rita' });
  const { page } = v;
  await page.goto('/');
  await page.getByText('Live', { exact: true }).waitFor();
  const seen = (state: string) => page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await seen('hidden');
  arrive('While away');
  await new Promise((go) => setTimeout(go, 300));
  expect(await page.getByRole('link', { name: /While away/ }).count()).toBe(0);
  await seen('visible');
  await page.getByRole('link', { name: /While away/ }).waitFor();
  await leave(v);
});

test('the language and the colours are chosen, and stay', async () => {
  const v = await visit(browser, { as: 'rita' });
  const { page } = v;
  await page.goto('/');
  await page.getByText('rita').first().click();
  await page.getByLabel('Language').selectOption('de');
  await page.getByRole('heading', { name: 'Was neu ist' }).waitFor();
  await page.getByLabel('Kontrast').selectOption('more');
  await page.getByLabel('Farben').selectOption('dark');
  await accessible(page);
  await page.reload();
  await page.getByRole('heading', { name: 'Was neu ist' }).waitFor();
  expect(await page.evaluate(() => ({ ...document.documentElement.dataset, lang: document.documentElement.lang }))).toEqual({ theme: 'dark', contrast: 'more', lang: 'de' });
  await leave(v);
});

test('on a narrow page the navigation opens over it', async () => {
  const v = await visit(browser, { as: 'ana', width: 390, height: 800 });
  const { page } = v;
  await page.goto('/');
  await page.getByRole('heading', { name: 'What is new' }).waitFor();
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await page.getByRole('button', { name: 'Open the navigation' }).click();
  await page.getByRole('navigation').getByRole('link', { name: 'Search' }).click();
  await page.waitForURL('**/app/search');
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await leave(v);
});
