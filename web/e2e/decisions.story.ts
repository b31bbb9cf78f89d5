import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { ask, type Answer } from './person';
import { freePort, listening, run, start, type Running } from './setup';

const text = `accord "uto-gra" {
  title     = "Joint action of Utopia and Graustark"
  version   = 1
  mode      = operational
  effective = "2026-01-01"
  expires   = "2036-01-01"
  purpose   = [net-defence]

  party "GRA" {
    keys = "keylog:gra"
  }
  party "UTO" {
    keys = "keylog:uto"
  }
  scope {
    organization = receiving-org
    clients      = none
    community    = parties
  }
  give "indicators" {
    from    = any
    kind    = [indicator]
    ceiling = AMBER
  }
  handle {
    default = AMBER
    retain  = "365d"
    onward  = none
  }
  decide "joint-block" {
    propose  = any
    consent  = all
    deadline = "24h"
  }
  suspend { by = any-party }
  terminate {
    notice = "30d"
    purge  = "30d"
  }
}
`;
let browser: Browser;
let partner: Running;
let token: string;

const there = (method: string, path: string, sent: { json?: unknown; body?: string } = {}): Promise<Answer> =>
  ask(partner.base, partner.data, method, '/api/v1' + path, { ...sent, headers: { Authorization: 'Bearer ' + token, ...(sent.body === undefined ? {} : { 'Content-Type': 'application/octet-stream' }) } });
const here = (as: string, method: string, path: string, sent: { json?: unknown; body?: string } = {}): Promise<Answer> =>
  ask(inject('base'), inject('data'), method, '/api/v1' + path, { ...sent, headers: { Authorization: 'Bearer ' + inject('tokens')[as], ...(sent.body === undefined ? {} : { 'Content-Type': 'application/octet-stream' }) } });
const plain = (a: Answer) => (typeof a.body === 'string' ? a.body : JSON.stringify(a.body));

beforeAll(async () => {
  browser = await launch();
  const door = `127.0.0.1:${await freePort()}`;
  partner = await start({ 'entente.toml': listening(door) }, { nation: 'GRA', org: 'Graustark CERT' });
  token = run('token', 'add', '--data', partner.data, 'stories', '--role', 'admin,signatory,officer,analyst').trim();
  const ours = plain(await here('ada', 'GET', '/card?address=' + inject('door')));
  const theirs = plain(await there('GET', '/card?address=' + door));
  const print = async (a: Promise<Answer>) => (await a).body.fingerprint as string;
  expect((await there('POST', `/peers?nation=UTO&fingerprint=${await print(here('ada', 'GET', '/keys'))}`, { body: ours })).status).toBe(201);
  expect((await here('ada', 'POST', `/peers?nation=GRA&fingerprint=${await print(there('GET', '/keys'))}`, { body: theirs })).status).toBe(201);
  expect((await here('ana', 'POST', '/accords', { body: text })).status).toBe(201);
  expect((await here('sigrid', 'POST', '/accords/uto-gra/sign')).status).toBe(200);
});
afterAll(async () => {
  await browser.close();
  await here('ada', 'DELETE', '/peers/GRA');
  await partner.stop();
});

test('the accord with its rule comes into force', async () => {
  await expect.poll(async () => (await there('GET', '/accords/uto-gra')).status).toBe(200);
  expect((await there('POST', '/accords/uto-gra/sign')).status).toBe(200);
  await expect.poll(async () => (await here('sigrid', 'GET', '/accords/uto-gra')).body.phase).toBe('active');
});

/** Has the partner propose and sign another accord, and waits until it stands among the decisions here: gives the address of its page. */
async function proposed(name: string): Promise<string> {
  expect((await there('POST', '/accords', { body: text.replace('"uto-gra"', `"${name}"`).replace('"2036-01-01"', 'never') })).status).toBe(201);
  expect((await there('POST', `/accords/${name}/sign`)).status).toBe(200);
  const found = async () => (await here('sigrid', 'GET', '/decisions')).body.items.find((d: { accord: string }) => d.accord === name);
  await expect.poll(async () => (await found())?.mine).toBe(true);
  const row = await found();
  expect(row.what.deadline).toBeUndefined(); // it never expires
  await expect.poll(async () => (await found()).said?.map((s: { nation: string; choice: string }) => [s.nation, s.choice])).toEqual([['GRA', 'consent']]);
  return '/app/decisions/' + row.id;
}

test('the text of an accord is signed on its page, after what it says was read', async () => {
  const path = await proposed('uto-gra-drills');
  const v = await visit(browser, { as: 'sigrid' });
  const { page } = v;
  await page.goto('/app/decisions');
  await page.getByRole('row', { name: /Sign uto-gra-drills, version 1.*Sign it, or decline/ }).getByRole('link').click();
  await page.getByRole('heading', { level: 1, name: 'Sign uto-gra-drills, version 1' }).waitFor();
  expect(new URL(page.url()).pathname).toBe(path);
  await page.getByText('1 of 2 parties have signed').waitFor();
  await page.getByRole('listitem').filter({ hasText: /^GRA\s*Has signed$/ }).waitFor();
  await page.getByRole('listitem').filter({ hasText: /^UTO\s*Has not signed yet$/ }).waitFor();
  await page.getByRole('heading', { name: 'What it says' }).waitFor();
  await accessible(page);
  await picture(page, 'decision-text');
  await page.getByRole('button', { name: 'Sign…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Sign uto-gra-drills v1' });
  expect(await dialog.getByRole('button', { name: 'Sign', exact: true }).isDisabled()).toBe(true);
  await dialog.getByRole('checkbox', { name: /I have read/ }).check();
  await accessible(page);
  await dialog.getByRole('button', { name: 'Sign', exact: true }).click();
  await page.getByText('Your organisation has signed. That is final.').waitFor();
  await page.getByText('2 of 2 parties have signed').waitFor();
  expect(await page.getByRole('button', { name: /^(Sign|Decline)…$/ }).count()).toBe(0);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download, with all signatures' }).click()]);
  expect(download.suggestedFilename()).toBe('accord.json');
  await accessible(page);
  await expect.poll(async () => (await there('GET', '/accords/uto-gra-drills')).body.phase).toBe('active');
  await leave(v);
});

test('the text of an accord is declined with a reason, which the other side reads', async () => {
  const path = await proposed('uto-gra-names');
  const v = await visit(browser, { as: 'sigrid' });
  const { page } = v;
  await page.goto(path);
  await page.getByRole('button', { name: 'Decline…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Utopia CERT does not sign uto-gra-names v1?' });
  await dialog.getByText('Every party is told, with your reason.').waitFor();
  await dialog.getByLabel('Reason').fill('A year is too long to keep names.');
  await accessible(page);
  await dialog.getByRole('button', { name: 'Decline', exact: true }).click();
  await page.getByText('Your organisation declined to sign.').waitFor();
  await page.getByRole('listitem').filter({ hasText: /^UTO\s*Declined$/ }).waitFor();
  await page.getByText('“A year is too long to keep names.”').waitFor();
  expect(await page.getByRole('button', { name: /^(Sign|Decline)…$/ }).count()).toBe(0);
  await accessible(page);
  await expect.poll(async () => (await there('GET', path.replace('/app', ''))).body.said?.find((s: { nation: string }) => s.nation === 'UTO')?.reason).toBe('A year is too long to keep names.');
  await leave(v);
});

test('a decision is proposed after what it means was seen, consented to in two steps, and proved by its certificate', async () => {
  const v = await visit(browser, { as: 'sigrid' });
  const { page } = v;
  await page.goto('/app/decisions');
  await page.getByRole('row', { name: /Sign uto-gra, version 1.*Signed/ }).waitFor(); // what binds stands among the decisions
  await accessible(page);
  await page.getByRole('link', { name: 'Propose' }).click();
  await page.getByLabel('Accord', { exact: true }).selectOption('uto-gra');
  await expect.poll(() => page.getByLabel('Rule', { exact: true }).inputValue()).toBe('joint-block'); // the only one
  await page.getByLabel('Title').fill('Block 192.0.2.0/24 at every border');
  await page.getByLabel('What is done').selectOption('statement');
  await page.getByLabel('The statement, word for word').fill('Traffic of 192.0.2.0/24 is dropped from noon on.');
  await page.getByRole('group', { name: 'Whom it affects' }).getByRole('checkbox', { name: 'GRA' }).check();
  await page.getByText('These have a vote: GRA, UTO.').waitFor();
  await page.getByText('Silence is no consent.').waitFor();
  await accessible(page);
  await picture(page, 'decision-new');
  await page.getByRole('button', { name: 'Propose…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Propose', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Block 192.0.2.0/24 at every border' }).waitFor();
  const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  await accessible(page);

  await page.goto('/app/decisions');
  await page.getByRole('row', { name: /Block 192.0.2.0\/24.*Take a position/ }).waitFor();
  await accessible(page);
  await picture(page, 'decisions');
  await page.goto('/');
  await page.getByRole('link', { name: /Decisions.*waits for you/ }).first().waitFor();
  await page.goto('/app/decisions/' + id);
  await page.getByRole('button', { name: 'Take a position…' }).click();
  const dialog = page.getByRole('dialog');
  expect(await dialog.getByRole('button', { name: 'Next' }).isDisabled()).toBe(true);
  await dialog.getByRole('radio', { name: /^Consent/ }).check();
  await dialog.getByLabel('Reason').fill('The port was hit twice.');
  await accessible(page);
  await dialog.getByRole('button', { name: 'Next' }).click();
  await dialog.getByText('This is final: it can never be taken back').waitFor();
  expect(await dialog.getByRole('button', { name: 'Consent' }).isDisabled()).toBe(true);
  await dialog.getByRole('checkbox').check();
  await accessible(page);
  await picture(page, 'decision-say');
  await dialog.getByRole('button', { name: 'Consent' }).click();
  await page.getByText('Your organisation said: Consent. That is final.').waitFor();
  expect(await page.getByRole('button', { name: 'Take a position…' }).count()).toBe(0);

  await expect.poll(async () => (await there('GET', '/decisions/' + id)).body.mine).toBe(true);
  expect((await there('POST', `/decisions/${id}/position`, { json: { choice: 'consent', reason: 'So be it.' } })).status).toBe(200);
  await page.getByText('Decided: yes').first().waitFor();
  await page.getByRole('row', { name: /^GRA .*Consent.*So be it/ }).waitFor();
  await page.getByRole('button', { name: 'Verify it here' }).click();
  await page.getByText('It proves: yes').waitFor();
  await accessible(page);
  await picture(page, 'decision');

  await page.getByRole('button', { name: 'Report…' }).click();
  await page.getByRole('dialog').getByLabel('In words').fill('Dropped at all three borders.');
  await accessible(page);
  await page.getByRole('dialog').getByRole('button', { name: 'Report', exact: true }).click();
  await page.getByText('It is reported').waitFor();
  await page.getByText('Dropped at all three borders.').first().waitFor();

  const file = join(inject('data'), 'decision.json');
  const certificate = plain(await there('GET', `/decisions/${id}/certificate?alone=true`));
  writeFileSync(file, certificate);
  await page.goto('/app/decisions');
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByText('Under uto-gra, by the rule joint-block, it was decided: Block 192.0.2.0/24 at every border').waitFor();
  await accessible(page);
  writeFileSync(file, certificate.replace('"outcome":"yes"', '"outcome":"no"'));
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByRole('alert').waitFor();
  expect(await page.getByText('It proves:').count()).toBe(0);
  await leave(v);
});

test('a veto ends what all must agree to; who may not vote only looks, on a phone, in the dark, in German', async () => {
  const made = await there('POST', '/decisions', { json: { accord: 'uto-gra', rule: 'joint-block', title: 'Name the operator in public' } });
  expect(made.status).toBe(201);
  const id: string = made.body.id;
  await expect.poll(async () => (await here('sigrid', 'GET', '/decisions/' + id)).body.mine).toBe(true);
  const v = await visit(browser, { as: 'sigrid' });
  await v.page.goto('/app/decisions/' + id);
  await v.page.getByText('The title is all that is decided').waitFor();
  await v.page.getByRole('button', { name: 'Take a position…' }).click();
  await v.page.getByRole('radio', { name: /^Veto/ }).check();
  await v.page.getByLabel('Reason').fill('It is too early.');
  const missed = v.page.waitForEvent('requestfailed', (r) => r.url().includes('/api/v1/decisions/' + id));
  await v.page.route('**/api/v1/decisions/*', (r) => r.abort(), { times: 1 }); // the page asks again by itself
  await missed;
  expect(await v.page.getByLabel('Reason').inputValue()).toBe('It is too early.');
  await v.page.getByRole('button', { name: 'Next' }).click();
  await v.page.getByRole('checkbox', { name: /I have read/ }).check();
  await v.page.getByRole('dialog').getByRole('button', { name: 'Veto' }).click();
  await v.page.getByText('Decided: no').first().waitFor();
  await leave(v);

  const phone = await visit(browser, { as: 'ana', width: 390, height: 844, scheme: 'dark' });
  await phone.page.addInitScript(() => localStorage.setItem('entente.language', '"de"'));
  await phone.page.goto('/app/decisions/' + id);
  await phone.page.getByText('Entschieden: nein').first().waitFor();
  await phone.page.getByText('Schweigen ist keine Zustimmung.').waitFor();
  await accessible(phone.page);
  expect(await phone.page.getByRole('button', { name: /Stellung nehmen/ }).count()).toBe(0);
  expect(await phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await picture(phone.page, 'decision-phone');
  await leave(phone);
});
