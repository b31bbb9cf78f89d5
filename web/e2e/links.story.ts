import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { ask, type Answer } from './person';
import { freePort, listening, run, start, type Running } from './setup';

/** Two more nodes: one is told to be there, and stopped in the middle. */
const others = [
  { nation: 'RUR', org: 'Ruritania CERT' },
  { nation: 'FRE', org: 'Freedonia CERT' },
];
let browser: Browser;
const nodes: { node: Running; token: string; door: string; nation: string }[] = [];

const asOf = (base: string, data: string, token: string) => (method: string, path: string, sent: { json?: unknown; body?: string } = {}): Promise<Answer> =>
  ask(base, data, method, '/api/v1' + path, { ...sent, headers: { Authorization: 'Bearer ' + token, ...(sent.body === undefined ? {} : { 'Content-Type': 'application/octet-stream' }) } });
const here = () => asOf(inject('base'), inject('data'), inject('tokens').ada ?? '');
const text = (a: Answer) => (typeof a.body === 'string' ? a.body : JSON.stringify(a.body));

beforeAll(async () => {
  browser = await launch();
  const ours = { card: text(await here()('GET', '/card?address=' + inject('door'))), fingerprint: (await here()('GET', '/keys')).body.fingerprint };
  for (const whose of others) {
    const door = `127.0.0.1:${await freePort()}`;
    const node = await start({ 'entente.toml': listening(door) }, whose);
    const token = run('token', 'add', '--data', node.data, 'stories', '--role', 'admin').trim();
    nodes.push({ node, token, door, nation: whose.nation });
    const there = asOf(node.base, node.data, token);
    const card = text(await there('GET', '/card?address=' + door));
    expect((await there('POST', `/peers?nation=UTO&fingerprint=${ours.fingerprint}`, { body: ours.card })).status).toBe(201);
    expect((await here()('POST', `/peers?nation=${whose.nation}&fingerprint=${(await there('GET', '/keys')).body.fingerprint}`, { body: card })).status).toBe(201);
  }
});
afterAll(async () => {
  await browser.close();
  for (const { node, nation } of nodes) {
    await here()('DELETE', '/peers/' + nation);
    await node.stop();
  }
});

test.each(['light', 'dark'] as const)('the alliance is a picture and a table that say the same (%s)', async (scheme) => {
  await expect.poll(async () => (await here()('GET', '/links')).body.items.filter((l: { nation: string; up: boolean }) => ['RUR', 'FRE'].includes(l.nation) && l.up).length).toBe(2);
  const v = await visit(browser, { as: 'ada', scheme });
  const { page } = v;
  await page.goto('/app/links');
  const shown = page.getByRole('group', { name: 'The alliance, seen from this node' });
  await shown.getByRole('link', { name: /^RUR.*, Ruritania CERT: Connected$/ }).waitFor();
  await page.getByRole('row', { name: /RUR Ruritania CERT Connected No/ }).waitFor();
  await accessible(page);
  await shown.getByRole('link', { name: /^FRE/ }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'FRE · Freedonia CERT' }).waitFor();
  expect(new URL(page.url()).searchParams.get('link')).toBe('FRE');
  await accessible(page);
  await picture(page, `links-${scheme}`);
  await leave(v);
});

test('a node that stops is an alarm, on the home page, too', async () => {
  await nodes.find((n) => n.nation === 'FRE')?.node.stop();
  const v = await visit(browser, { as: 'ada' });
  const { page } = v;
  await page.goto('/app/links');
  await page.getByText('The node of FRE does not answer.').waitFor();
  await page.getByRole('link', { name: /^FRE.*, Freedonia CERT: Not connected$/ }).click();
  await page.getByText('This node tries again by itself').waitFor();
  await accessible(page);
  await picture(page, 'links');
  await page.getByRole('button', { name: 'Try now' }).click();
  await page.getByText('The node of FRE is tried now').waitFor();
  await page.goto('/');
  await page.getByText('The node of FRE does not answer.').waitFor();
  await accessible(page);
  await picture(page, 'home-alarm');
  await page.getByRole('link', { name: /^See the link: FRE/ }).click();
  await page.getByRole('heading', { name: 'FRE · Freedonia CERT' }).waitFor();
  await page.goto('/app/partners');
  await page.getByText('The node of FRE does not answer.').waitFor();
  await accessible(page);
  await leave(v);
});

test('on a phone, and in German', async () => {
  const v = await visit(browser, { as: 'ada', width: 390, height: 844 });
  const { page } = v;
  await page.addInitScript(() => localStorage.setItem('entente.language', '"de"'));
  await page.goto('/app/links?link=RUR');
  await page.getByRole('group', { name: 'Das Bündnis, von diesem Knoten aus gesehen' }).waitFor();
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await picture(page, 'links-phone');
  await page.goto('/app/proofs');
  await page.getByRole('heading', { level: 2, name: /^Beweise/ }).waitFor(); // other stories prove something
  await accessible(page);
  await leave(v);
});

test('a file that proves nothing is refused with the reason', async () => {
  const v = await visit(browser, { as: 'ana' });
  const { page } = v;
  const file = join(inject('data'), 'nothing.proof');
  writeFileSync(file, '{}');
  expect(existsSync(file)).toBe(true);
  await page.goto('/app/proofs');
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByRole('alert').waitFor();
  await accessible(page);
  await leave(v);
});
