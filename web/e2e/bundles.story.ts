import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { ask } from './person';
import { run, start, type Running } from './setup';

/** A partner that no wire reaches: its node has no door, and nobody has an address of it. */
const theirs = { nation: 'SYL', org: 'Sylvania CERT' };
const amber = 'marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421';
const at = '2026-03-02T08:00:00.000Z';
const worm = 'malware--5b0d1e00-0000-4000-8000-000000000001';
const virus = 'malware--5b0d1e00-0000-4000-8000-000000000002';

let browser: Browser;
let partner: Running;

const mine = () => inject('data');
const file = (name: string) => join(partner.data, name);
const here = (as: string, method: string, path: string) => ask(inject('base'), mine(), method, '/api/v1' + path, { headers: { Authorization: 'Bearer ' + inject('tokens')[as] } });

/** Has the partner share what it found, and make a bundle that holds it. */
function found(id: string, name: string, bundle: string, ...more: string[]): void {
  writeFileSync(file('found.json'), JSON.stringify({ type: 'malware', spec_version: '2.1', id, created: at, modified: at, name, is_family: false, object_marking_refs: [amber] }));
  run('object', 'import', '--data', partner.data, file('found.json'));
  run('object', 'share', '--data', partner.data, id, '--accord', 'uto-syl');
  run('bundle', 'make', '--data', partner.data, '--for', 'UTO', ...more, file(bundle));
}

/** Saves what a link of the page gives as a file. */
async function saved(page: Page, link: string, name: string): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: link }).first().click()]);
  await download.saveAs(file(name));
  return file(name);
}

/** Drops a file where bundles are read. */
const read = (page: Page, name: string) => page.getByRole('group', { name: /^Drop a bundle/ }).locator('input[type=file]').setInputFiles(file(name));

beforeAll(async () => {
  browser = await launch();
  partner = await start({}, theirs);
  writeFileSync(file('uto.card'), run('peer', 'card', '--data', mine()));
  writeFileSync(file('syl.card'), run('peer', 'card', '--data', partner.data));
  run('peer', 'add', '--data', mine(), file('syl.card'), '--yes');
  run('peer', 'add', '--data', partner.data, file('uto.card'), '--yes');
  run('accord', 'new', 'uto-syl', '--party', 'UTO,SYL', '--from', '2026-01-01', '-o', file('pact.accord'));
  run('accord', 'sign', '--data', mine(), file('pact.accord'), '--yes');
  writeFileSync(file('syl.sealkey'), run('bundle', 'key', '--data', partner.data));
});
afterAll(async () => {
  await browser.close();
  await here('ada', 'DELETE', '/peers/SYL');
  await partner.stop();
});

test('the keys go from hand to hand, and a bundle is made after it was said what it would hold', async () => {
  const ada = await visit(browser, { as: 'ada' });
  await ada.page.goto('/app/bundles');
  await ada.page.getByText('None was taken yet').waitFor();
  await accessible(ada.page);
  await ada.page.getByRole('group', { name: /^Drop the key/ }).locator('input[type=file]').setInputFiles(file('syl.sealkey'));
  await ada.page.getByText('The key of SYL is here').waitFor();
  await ada.page.getByRole('row', { name: /^SYL Sylvania CERT 1/ }).waitFor();
  expect(await ada.page.getByRole('button', { name: 'What would it hold?' }).count()).toBe(0); // who manages partners does not share
  run('bundle', 'key', '--data', partner.data, '--add', await saved(ada.page, 'Download the own key', 'uto.sealkey'));
  await leave(ada);

  const v = await visit(browser, { as: 'ana' });
  const { page } = v;
  await page.goto('/app/bundles');
  await page.getByLabel('For', { exact: true }).selectOption('SYL');
  await page.getByRole('button', { name: 'What would it hold?' }).click();
  await page.getByText('It would be number 1 for SYL').waitFor();
  await page.getByText('1 accord', { exact: false }).first().waitFor();
  await accessible(page);
  expect((await here('ana', 'GET', '/bundles')).body.made).toEqual([]); // it was only counted
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByText('Number 1 for SYL is ready').waitFor();
  await page.getByRole('row', { name: /^SYL Sylvania CERT 1 .*Not known to have arrived/ }).waitFor();
  await accessible(page);
  expect(await page.getByRole('button', { name: 'Choose a file' }).count()).toBe(0); // who shares does not import
  run('bundle', 'import', '--data', partner.data, await saved(page, 'Download the file', 'first.fedb'), '--ack', file('first.ack'));
  expect(run('accord', 'list', '--data', partner.data)).toMatch(/uto-syl/);

  const words = readFileSync(file('first.ack'), 'utf8').match(/[a-z]{3,8}/g)?.slice(-24) ?? [];
  await page.getByRole('button', { name: 'Words came back: number 1 for SYL' }).click();
  const dialog = page.getByRole('dialog', { name: 'The words that SYL reads out' });
  await dialog.getByLabel('The 24 words').fill('abandon ability');
  await dialog.getByText('2 of 24 words').waitFor();
  await dialog.getByRole('button', { name: 'Note it' }).click();
  await dialog.locator('.problem').first().waitFor(); // what is no 24 words is said so
  await accessible(page);
  await dialog.getByLabel('The 24 words').fill(words.map((w) => w.slice(0, 4)).join(' '));
  await dialog.getByText('24 of 24 words').waitFor();
  await dialog.getByRole('button', { name: 'Note it' }).click();
  await page.getByRole('row', { name: /^SYL Sylvania CERT 1 .*Arrived/ }).waitFor();
  await leave(v);
});

test('a bundle is verified, looked at, taken, and its words go back', async () => {
  run('accord', 'sign', '--data', partner.data, 'uto-syl', '--yes');
  run('bundle', 'make', '--data', partner.data, '--for', 'UTO', file('back.fedb'));
  const v = await visit(browser, { as: 'ada' });
  const { page } = v;
  await page.goto('/app/bundles');
  await read(page, 'back.fedb');
  await page.getByText('Every signature and every log in it holds. Nothing was taken yet.').waitFor();
  await accessible(page);
  expect((await here('ada', 'GET', '/bundles')).body.taken).toEqual([]);
  expect((await here('ada', 'GET', '/accords/uto-syl')).body.phase).toBe('proposed');
  await page.getByRole('button', { name: 'Take it…' }).click();
  await page.getByRole('dialog', { name: 'Take number 1 of SYL?' }).getByText('as if it came over the wire').waitFor();
  await accessible(page);
  await page.getByRole('dialog').getByRole('button', { name: 'Take it', exact: true }).click();
  await page.getByText('Everything that it holds was taken').waitFor();
  await page.getByRole('list', { name: 'Words of number 1 of SYL' }).first().waitFor();
  await accessible(page);
  await picture(page, 'bundles');
  expect((await here('ada', 'GET', '/accords/uto-syl')).body.phase).toBe('active');

  writeFileSync(file('half.fedb'), readFileSync(file('back.fedb')).subarray(0, 4000));
  await read(page, 'half.fedb');
  await page.getByRole('alert').waitFor();
  await page.getByText('The file was cut off.').waitFor();
  await accessible(page);
  await read(page, 'back.fedb');
  await page.getByText('It was taken before').waitFor();
  expect(await page.getByRole('button', { name: /^Take it/ }).count()).toBe(0);
  await leave(v);
});

test('what is missing is named, the rest waits for it, and every object says by which way it came', async () => {
  found(worm, 'Dry dock worm', 'second.fedb');
  found(virus, 'Dry dock virus', 'third.fedb', '--since', 'made');
  const v = await visit(browser, { as: 'ada', scheme: 'dark' });
  const { page } = v;
  await page.goto('/app/bundles');
  await read(page, 'third.fedb');
  await page.getByText('Something before it is missing').waitFor();
  await page.getByText('bundle 2 of SYL/Sylvania CERT').waitFor();
  await page.getByText(/^entry .* of the log fed\/v1\//).waitFor();
  await accessible(page);
  await page.getByRole('button', { name: 'Keep it until then…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Keep it until then', exact: true }).click();
  await page.getByRole('row', { name: /^SYL 3 .*bundle 2 of SYL/ }).waitFor();
  await accessible(page);
  await picture(page, 'bundles-dark');
  await read(page, 'second.fedb');
  await page.getByRole('button', { name: 'Take it…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take it', exact: true }).click();
  await page.getByText('Waited for it, and were taken with it').waitFor();
  await page.getByRole('row', { name: /^SYL 3/ }).waitFor({ state: 'detached' });
  await leave(v);

  const ana = await visit(browser, { as: 'ana' });
  await ana.page.goto(`/app/objects/${virus}?tab=provenance`);
  await ana.page.getByRole('row', { name: /Sylvania CERT.*uto-syl.*In a bundle/ }).waitFor();
  await accessible(ana.page);
  await picture(ana.page, 'provenance');
  await leave(ana);
});

test('on a phone, in German, one reads what was made and taken', async () => {
  const v = await visit(browser, { as: 'otto', width: 390, height: 844 });
  const { page } = v;
  await page.addInitScript(() => localStorage.setItem('entente.language', '"de"'));
  await page.goto('/app/bundles');
  await page.getByRole('heading', { level: 1, name: 'Bündel' }).waitFor();
  await page.getByText('SYL, Nummer 3').waitFor();
  await page.getByText('Wörter zeigen').first().click();
  await page.getByRole('list', { name: 'Wörter von Nummer 3 von SYL' }).waitFor();
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await picture(page, 'bundles-phone');
  await leave(v);
});
