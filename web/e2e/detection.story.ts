import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, printed, visit } from './browser';
import { ask, type Answer } from './person';
import { program, run } from './setup';

const green = 'marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb';
const amber = 'marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421';
const at = '2026-11-01T08:00:00.000Z';
const indicator = (n: number, name: string, pattern: string, more: object = {}) => ({ type: 'indicator', spec_version: '2.1', id: `indicator--5b0d1e00-0000-4000-8000-0000000d000${n}`, created: at, modified: at, name, pattern, pattern_type: 'stix', valid_from: at, indicator_types: ['malicious-activity'], object_marking_refs: [green], ...more });
const barge = indicator(1, 'Barge in tow', "[domain-name:value = 'tow.barge-lines.net']");
const buoy = indicator(2, 'Drifting buoy', "[ipv4-addr:value = '185.91.127.9']");
const doubted = indicator(3, 'Fog on the river', "[domain-name:value = 'fog.river-mist.net']", { confidence: 10, object_marking_refs: [amber] });
const late = indicator(5, 'Barge that came before', "[domain-name:value = 'adrift.barge-lines.net']", { object_marking_refs: [amber] });
const local = indicator(4, 'Somebody’s printer', "[ipv4-addr:value = '10.1.2.3']");

let browser: Browser;
let dir: string;
let sensor: ChildProcess | undefined;
const eve = () => join(dir, 'eve.json');
const here = (as: string, method: string, path: string): Promise<Answer> => ask(inject('base'), inject('data'), method, '/api/v1' + path, { headers: { Authorization: 'Bearer ' + inject('tokens')[as] } });

/** What an intrusion detection system notes of a question for a name. */
const asks = (name: string, n = 1) => appendFileSync(eve(), (JSON.stringify({ timestamp: new Date().toISOString(), event_type: 'dns', src_ip: '192.0.2.7', dest_ip: '192.0.2.53', dns: { type: 'query', rrname: name, rrtype: 'A' } }) + '\n').repeat(n));

const enough = 5 * 60_000;

beforeAll(async () => {
  // What is met is counted by day: no day ends while it is.
  const left = 24 * 60 * 60_000 - (Date.now() % (24 * 60 * 60_000));
  if (left < enough) await new Promise((go) => setTimeout(go, left));
  browser = await launch();
  dir = mkdtempSync(join(tmpdir(), 'entente-sensor-'));
  writeFileSync(eve(), '');
  const bundle = join(dir, 'indicators.json');
  writeFileSync(bundle, JSON.stringify({ type: 'bundle', id: 'bundle--5b0d1e00-0000-4000-8000-0000000d0000', objects: [barge, buoy, doubted, local] }));
  run('object', 'import', '--data', inject('data'), bundle);
}, 2 * enough);
afterAll(async () => {
  await browser.close();
  // One that was revoked may have ended by itself.
  if (sensor && sensor.exitCode === null) {
    const gone = new Promise((done) => sensor?.once('exit', done));
    sensor.kill('SIGTERM');
    await gone;
  }
  rmSync(dir, { recursive: true, force: true });
});

test('an administrator adds a sensor: the code is shown once, and works', async () => {
  const v = await visit(browser, { as: 'ada' });
  const { page } = v;
  await page.goto('/app/sensors');
  await page.getByText('No sensor is enrolled').waitFor();
  await accessible(page);
  await page.getByRole('button', { name: 'Add a sensor' }).click();
  const form = page.getByRole('dialog', { name: 'Add a sensor' });
  await form.getByLabel('Name').fill('north-tap');
  await accessible(page);
  await form.getByRole('button', { name: 'Add a sensor' }).click();
  const told = page.getByRole('dialog', { name: 'The code of north-tap' });
  await told.waitFor();
  await accessible(page);
  const [code = '', commands = ''] = await told.locator('pre').allTextContents();
  expect(code).not.toBe('');
  const [enrol = '', start = ''] = commands.split('\n');
  expect(enrol).toContain(`${inject('base')} ${code}`);
  // The commands as they are shown, with a directory of the story.
  const typed = (line: string) => line.replace('/var/lib/entente-sensor', join(dir, 'sensor')).split(' ').slice(1);
  run(...typed(enrol));
  await told.getByRole('button', { name: 'I have kept it' }).click();
  expect(await page.getByText(code).count()).toBe(0);
  const row = page.getByRole('row', { name: /^north-tap/ });
  await row.getByText('Said nothing yet').waitFor();
  writeFileSync(join(dir, 'sensor', 'sensor.toml'), `evidence = ["*"]\n\n[[input]]\nname = "suricata"\nkind = "files"\npaths = ["${eve()}"]\n`);
  sensor = spawn(program, typed(start), { stdio: 'ignore' });
  await expect.poll(async () => (await here('ada', 'GET', '/sensors/north-tap')).body.state, { timeout: 120_000 }).toBe('well');
  await row.getByText('Well').waitFor();
  await accessible(page);
  await leave(v);
});

test('what a sensor meets appears while one looks, is muted, and is heard again', async () => {
  // It knows what to look for before it is shown something.
  await expect.poll(async () => { const s = (await here('ada', 'GET', '/sensors/north-tap')).body; return s.behind === 0 && s.health.entries > 0; }, { timeout: 120_000 }).toBe(true);
  const v = await visit(browser, { as: 'ana' });
  const { page } = v;
  await page.goto('/app/detections');
  await page.getByText('Nothing was met').waitFor();
  await page.getByText('One sensor is heard, and has met nothing').waitFor();
  await accessible(page);
  asks('tow.barge-lines.net', 3);
  const met = page.getByRole('region', { name: 'What was met' });
  const row = met.getByRole('row', { name: /tow\.barge-lines\.net/ });
  await row.waitFor();
  await row.getByRole('link', { name: /Barge in tow/ }).waitFor();
  await row.getByRole('link', { name: 'north-tap' }).waitFor();
  await row.getByRole('cell', { name: '3', exact: true }).waitFor();
  asks('tow.barge-lines.net', 2);
  await row.getByRole('cell', { name: '5', exact: true }).waitFor();
  await accessible(page);

  // The day has its bar, and its row in the table beside it; the bar chooses it.
  const today = new Date().toISOString().slice(0, 10);
  const chart = page.getByRole('group', { name: 'Met by day: 5 in 30 days' });
  await chart.getByRole('button', { name: /: met 5 times; sources: 1, sensors: 1$/ }).waitFor();
  await chart.getByRole('button').first().focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: new RegExp('What was met on ' + today) }).waitFor();
  await page.getByRole('button', { name: 'As a table' }).click();
  await page.getByRole('row', { name: new RegExp(`^${today} 5 0 1 1$`) }).waitFor();
  await accessible(page);
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.getByLabel('How many days').selectOption('366');
  await page.getByRole('img', { name: 'Met by day: 5 in 366 days' }).waitFor();
  await accessible(page);
  await page.getByLabel('How many days').selectOption('30');

  // What else is known of it: who gave it, and what matched.
  await row.getByRole('button', { name: 'Details of tow.barge-lines.net' }).click();
  await met.getByText('dns.rrname').waitFor();
  await met.getByRole('link', { name: 'Where it came from' }).waitFor();
  await accessible(page);
  await picture(page, 'detection');
  await row.getByRole('button', { name: 'Details of tow.barge-lines.net' }).click();

  await page.getByLabel('Day (UTC)').fill(today);
  await page.getByRole('heading', { name: new RegExp('What was met on ' + today) }).waitFor();
  await row.waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.getByLabel('Value', { exact: true }).fill('nowhere.barge-lines.net');
  await page.keyboard.press('Enter');
  await page.getByText('Nothing of this kind was met').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();

  await row.getByRole('button', { name: /^Mute/ }).click();
  const form = page.getByRole('dialog', { name: 'Mute this?' });
  await form.getByLabel('Reason').fill('Our own tug asks for it.');
  await form.getByLabel('It is a false positive').check();
  await accessible(page);
  await picture(page, 'mute');
  await form.getByRole('button', { name: 'Mute', exact: true }).click();
  await page.getByText('It is muted, and an opinion tells whoever gave it').waitFor();
  await row.getByText('Our own tug asks for it.').waitFor();
  await page.getByRole('tab', { name: 'Muted' }).click();
  const muted = page.getByRole('row', { name: /Barge in tow/ });
  await muted.getByText('Our own tug asks for it.').waitFor();
  await accessible(page);
  const opinions = await here('ana', 'GET', '/search?q=' + encodeURIComponent('type:opinion tug'));
  expect(JSON.stringify(opinions.body)).toContain('False positive: Our own tug asks for it.');
  await muted.getByRole('button', { name: /^Unmute/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unmute' }).click();
  await page.getByText('Nothing is muted').waitFor();
  await page.getByRole('tab', { name: 'Not looked for' }).click();
  await page.getByRole('heading', { name: 'What is looked for' }).waitFor();
  await page.getByRole('row', { name: /Utopia CERT/ }).first().waitFor();
  await accessible(page);
  await leave(v);
});

test('what is shared after it was seen is met by looking back, and says so', async () => {
  asks('adrift.barge-lines.net', 2);
  // It is remembered before it is shared: a mebibyte of telemetry is remembered when all of it was read.
  asks('www.calm-river.net', 8_000);
  await expect.poll(async () => (await here('ada', 'GET', '/sensors/north-tap')).body.health.recall.stored, { timeout: 120_000 }).toBeGreaterThan(0);
  const v = await visit(browser, { as: 'ana' });
  const { page } = v;
  await page.goto('/app/detections');
  const bundle = join(dir, 'late.json');
  writeFileSync(bundle, JSON.stringify({ type: 'bundle', id: 'bundle--5b0d1e00-0000-4000-8000-0000000d0001', objects: [late] }));
  run('object', 'import', '--data', inject('data'), bundle);
  const row = page.getByRole('row', { name: /adrift\.barge-lines\.net/ });
  await row.getByText('Looked back').waitFor();
  await row.getByText('TLP:AMBER').waitFor();
  await page.getByText('it was shared after it was seen').waitFor();
  await page.getByRole('group', { name: /^Met by day/ }).getByRole('button', { name: /met 7 times, 2 of them by looking back/ }).waitFor();
  await accessible(page);
  await picture(page, 'detections');

  await printed(page, async () => {
    await page.getByText(/^Utopia CERT \(UTO\), as of/).waitFor();
    await page.getByRole('row', { name: /^\d{4}-\d\d-\d\d 7 2 2 1$/ }).waitFor(); // the table of days
    await row.getByText('Looked back').waitFor();
    expect(await page.getByRole('button', { name: /^Mute/ }).count()).toBe(0);
    await picture(page, 'paper-detections');
  });
  await page.getByLabel('Value', { exact: true }).fill('adrift.barge-lines.net');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Clear filters' }).waitFor();
  await printed(page, () => page.getByText('Only of').waitFor()); // what was chosen stands on it
  await leave(v);
});

test.each([['light', 'en'], ['dark', 'de']] as const)('a sensor says how it is (%s, %s)', async (scheme, language) => {
  const v = await visit(browser, { as: 'otto', scheme, width: language === 'de' ? 390 : 1440 });
  const { page } = v;
  await page.addInitScript((l) => localStorage.setItem('entente.language', JSON.stringify(l)), language);
  await page.goto('/app/sensors');
  await page.getByRole('link', { name: 'north-tap' }).click();
  const inputs = page.getByRole('region', { name: language === 'de' ? 'Eingänge' : 'Inputs' });
  await inputs.getByRole('row', { name: /^suricata/ }).waitFor();
  expect(await page.getByRole('button', { name: language === 'de' ? /Widerrufen/ : /Revoke/ }).count()).toBe(0); // officers look
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await picture(page, `sensor-${scheme}`);
  await page.goto('/app/detections');
  await page.getByRole('link', { name: 'north-tap' }).first().waitFor();
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await picture(page, `detections-${scheme}`);
  await leave(v);
});

test.each(['light', 'dark'] as const)('the page of what is blocked has the numbers, the files, and the reasons (%s)', async (scheme) => {
  const v = await visit(browser, { as: 'ana', scheme });
  const { page } = v;
  await page.goto('/app/blocking');
  const formats = page.getByRole('region', { name: 'Formats', exact: true });
  await formats.getByRole('row', { name: /^rpz/ }).waitFor();
  await page.getByRole('row', { name: /^Domain/ }).waitFor();
  await accessible(page);
  await picture(page, scheme === 'light' ? 'blocking' : 'blocking-dark');
  if (scheme === 'light') {
    const [file] = await Promise.all([page.waitForEvent('download'), formats.getByRole('link', { name: 'Download list' }).click()]);
    expect(file.suggestedFilename()).toBe('list.txt');
    await formats.getByRole('button', { name: 'How to load it: rpz' }).click();
    await page.getByRole('dialog').getByText('entente block verify rpz.zone.new').waitFor();
    await accessible(page);
    await page.keyboard.press('Escape');
    // Each format has an address, and says how it is loaded, or that a program reads it.
    for (const name of await formats.locator('tbody code.strong').allTextContents()) {
      await formats.getByRole('row', { name: new RegExp('^' + name + ' ') }).getByText('/api/v1/block/' + name, { exact: true }).waitFor();
      await formats.getByRole('button', { name: 'How to load it: ' + name, exact: true }).click();
      await page.getByRole('dialog').getByText(['list', 'json', 'csv'].includes(name) ? 'nothing is loaded by a command' : 'what is configured once').waitFor();
      await page.keyboard.press('Escape');
    }
    await printed(page, async () => {
      await page.getByText('/api/v1/block/rpz', { exact: true }).waitFor();
      await page.getByRole('row', { name: /^Domain/ }).first().waitFor();
      await picture(page, 'paper-blocking');
    });
  }
  const why = page.getByRole('region', { name: 'Left out' });
  // What stands there before the answer comes is of the question before.
  const answered = (part: string, act: () => Promise<unknown>) => Promise.all([page.waitForResponse((r) => r.url().includes('/left?') && r.url().includes(part) && r.ok(), { timeout: 120_000 }), act()]);
  const look = (value: string, part = value) => answered('value=' + part, async () => {
    await page.getByLabel('Value', { exact: true }).fill(value);
    await page.keyboard.press('Enter');
  });
  const because = (reason: string, part: string) => answered(part, () => page.getByLabel('Reason').selectOption(reason));
  await look('fog[.]river-mist.net', 'fog.river-mist.net');
  await why.getByRole('row', { name: /Fog on the river/ }).getByText(/PAP|confidence/).first().waitFor();
  await look('10.1.2.3');
  await why.getByRole('row', { name: /10\.1\.2\.3/ }).getByText('Reserved or private').waitFor();
  await because('Reserved or private', 'code=reserved');
  await why.getByRole('row', { name: /10\.1\.2\.3/ }).waitFor();
  await because('Revoked', 'code=revoked');
  await page.getByText('It is not among what is left out').waitFor();
  await because('Every reason', 'value=10.1.2.3');
  await page.evaluate(() => scrollTo(0, 0)); // what stands half under the bar at the top is no smaller for it
  await accessible(page);
  await look('tow.barge-lines.net');
  await page.getByText('It is not among what is left out').waitFor();
  await leave(v);
});

test('a sensor that is revoked is known no more', async () => {
  const v = await visit(browser, { as: 'ada' });
  const { page } = v;
  await page.goto('/');
  await page.getByRole('link', { name: /Sensors.*1.*is heard/ }).click();
  await page.getByRole('link', { name: 'north-tap' }).click();
  await page.getByRole('button', { name: 'Revoke…' }).click();
  const asked = page.getByRole('dialog', { name: 'Revoke north-tap?' });
  await asked.getByText('At once and for good').waitFor();
  await accessible(page);
  await asked.getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('north-tap is revoked').waitFor();
  await page.getByText('It may not ask or report any more.').waitFor();
  await page.goto('/app/sensors');
  await page.getByText('No sensor is enrolled').waitFor();
  await page.getByLabel('Revoked ones too').check();
  await page.getByRole('row', { name: /^north-tap/ }).getByText('Revoked').waitFor();
  await accessible(page);
  await leave(v);
});

test('a reader has neither', async () => {
  const v = await visit(browser, { as: 'rita' });
  for (const path of ['/app/detections', '/app/sensors', '/app/blocking']) {
    await v.page.goto(path);
    await v.page.getByRole('heading', { name: 'Your roles do not reach here' }).waitFor();
  }
  expect(await v.page.getByRole('link', { name: 'Detections' }).count()).toBe(0);
  await leave(v);
});
