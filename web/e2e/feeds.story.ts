import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test('an analyst tries a feed, runs it, and sees what it brought and what not', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto('/app/feeds');
  await v.page.getByRole('link', { name: 'harbour-blocklist' }).click();
  await v.page.getByRole('button', { name: 'Try without storing' }).click();
  await v.page.getByRole('heading', { name: 'What a run would do; nothing was stored' }).waitFor();
  await accessible(v.page);
  await v.page.getByRole('button', { name: 'Run now' }).click();
  await v.page.getByRole('heading', { name: 'What the run did' }).waitFor();
  await v.page.getByRole('cell', { name: /not an address/ }).first().waitFor();
  await accessible(v.page);
  await v.page.goto('/app/feeds/lost');
  await v.page.getByRole('button', { name: 'Run now' }).click();
  await v.page.getByText('Failed').first().waitFor();
  await leave(v);
});

test.each(['light', 'dark'] as const)('the list says how every feed is (%s)', async (scheme) => {
  const v = await visit(browser, { as: 'otto', scheme });
  await v.page.goto('/app/feeds');
  await v.page.getByText('One feed fails.').waitFor();
  await v.page.getByRole('row', { name: /harbour-blocklist/ }).getByText('In order').waitFor();
  await accessible(v.page);
  const channel = (name: string) => v.page.getByRole('row', { name: new RegExp('^' + name) });
  await channel('relay').waitFor();
  await v.page.getByRole('button', { name: 'Ask the channels now' }).click();
  await channel('relay').getByText('Fails').waitFor();
  await channel('port-hook').getByText('In order').waitFor();
  await accessible(v.page);
  if (scheme === 'light') await picture(v.page, 'feeds');
  await v.page.getByRole('link', { name: 'harbour-blocklist' }).click();
  await v.page.getByRole('heading', { name: 'Last runs' }).waitFor();
  expect(await v.page.getByRole('button', { name: 'Run now' }).count()).toBe(0); // officers look
  await accessible(v.page);
  await leave(v);
});
