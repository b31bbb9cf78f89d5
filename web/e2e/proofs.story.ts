import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { ask } from './person';
import { run, start, type Running } from './setup';

/** A partner whose node was copied and runs twice: both sign, and each another past of one log. */
const theirs = { nation: 'BRO', org: 'Brobdingnag CERT' };
const amber = 'marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421';
const at = '2026-03-02T08:00:00.000Z';
const object = (n: number) => `malware--5b0d1e00-0000-4000-8000-0000000000b${n}`;

let browser: Browser;
let partner: Running;
let copy: string;

const mine = () => inject('data');
const file = (name: string) => join(mine(), 'proofs-' + name);
const here = (as: string, method: string, path: string) => ask(inject('base'), mine(), method, '/api/v1' + path, { headers: { Authorization: 'Bearer ' + inject('tokens')[as] } });

function gives(data: string, n: number, bundle: string): void {
  writeFileSync(file('one.json'), JSON.stringify({ type: 'malware', spec_version: '2.1', id: object(n), created: at, modified: at, name: `Sample ${n}`, is_family: false, object_marking_refs: [amber] }));
  run('object', 'import', '--data', data, file('one.json'));
  run('object', 'share', '--data', data, object(n), '--accord', 'uto-bro');
  run('bundle', 'make', '--data', data, '--for', 'UTO', '--since', 'made', file(bundle));
}

beforeAll(async () => {
  browser = await launch();
  partner = await start({}, theirs);
  copy = partner.data + '-copy';
  writeFileSync(file('uto.card'), run('peer', 'card', '--data', mine()));
  writeFileSync(file('bro.card'), run('peer', 'card', '--data', partner.data));
  run('peer', 'add', '--data', mine(), file('bro.card'), '--yes');
  run('peer', 'add', '--data', partner.data, file('uto.card'), '--yes');
  writeFileSync(file('bro.sealkey'), run('bundle', 'key', '--data', partner.data));
  run('bundle', 'key', '--data', mine(), '--add', file('bro.sealkey'));
  run('accord', 'new', 'uto-bro', '--party', 'UTO,BRO', '--from', '2026-01-01', '-o', file('pact.accord'));
  run('accord', 'sign', '--data', mine(), file('pact.accord'), '--yes');
  run('bundle', 'make', '--data', mine(), '--for', 'BRO', file('first.fedb'));
  run('bundle', 'import', '--data', partner.data, file('first.fedb'));
  run('accord', 'sign', '--data', partner.data, 'uto-bro', '--yes');
  gives(partner.data, 1, 'back.fedb');
  run('bundle', 'import', '--data', mine(), file('back.fedb'));
  await partner.halt(); // a copy of what lies still
  cpSync(partner.data, copy, { recursive: true });
  gives(partner.data, 2, 'this.fedb');
  gives(copy, 3, 'that.fedb');
});
afterAll(async () => {
  await browser.close();
  await here('ada', 'DELETE', '/peers/BRO');
  await partner.stop();
  rmSync(copy, { recursive: true, force: true });
});

test('who signs two pasts of one log is found out: an alarm, a proof that anyone verifies, and a person who settles it', async () => {
  const v = await visit(browser, { as: 'ada' });
  const { page } = v;
  const drop = page.getByRole('group', { name: /^Drop a bundle/ }).locator('input[type=file]');
  await page.goto('/app/bundles');
  for (const name of ['this', 'that']) {
    await drop.setInputFiles(file(name + '.fedb'));
    if (name === 'that') break;
    await page.getByRole('button', { name: 'Take it…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Take it', exact: true }).click();
    await page.getByText('Everything that it holds was taken').waitFor();
  }
  await page.getByText('does not hold').first().waitFor(); // it contradicts what was taken
  await accessible(page);
  await page.getByRole('button', { name: 'Have it refused' }).click();
  await expect.poll(async () => (await here('ada', 'GET', '/proofs')).body.items.length).toBe(1);
  await page.goto('/');
  await page.getByText('By its own signatures it is proved that BRO contradicts itself.').waitFor();
  await page.goto('/app/links');
  await page.getByRole('row', { name: /^BRO Brobdingnag CERT Contradicts itself/ }).waitFor();
  await accessible(page);
  await picture(page, 'links-accused');
  await page.getByRole('link', { name: 'See the proof: BRO' }).click();
  await page.getByText('Brobdingnag CERT (BRO) signed two pasts of one log that exclude each other').waitFor();
  await page.getByText('Weighs: nothing is taken from it').waitFor();
  await accessible(page);

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download the file' }).click()]);
  await download.saveAs(file('bro.proof'));
  expect(run('proof', 'verify', file('bro.proof'), '--card', file('bro.card'))).toContain('BRO'); // without a node
  await page.locator('input[type=file]').setInputFiles(file('bro.proof'));
  await page.getByText('It is about BRO as this node knows it').waitFor();
  await accessible(page);
  await picture(page, 'proofs');

  await page.getByRole('button', { name: 'Settle…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Settle the proof against Brobdingnag CERT (BRO)?' });
  await dialog.getByLabel('Reason').fill('Their node was restored from a copy; the copy is destroyed.');
  await accessible(page);
  await dialog.getByRole('button', { name: 'Settle', exact: true }).click();
  await page.getByText(/by .*: “Their node was restored from a copy; the copy is destroyed.”/).waitFor();
  await page.goto('/app/links');
  await page.getByRole('row', { name: /^BRO Brobdingnag CERT/ }).waitFor();
  expect(await page.getByText('By its own signatures it is proved that BRO').count()).toBe(0);
  await leave(v);
});
