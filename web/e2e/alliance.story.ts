import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { ask, type Answer } from './person';
import { freePort, listening, run, start, type Running } from './setup';

const theirs = { nation: 'XER', org: 'Erewhon CERT' };
const now = '2026-03-02T08:00:00.000Z';
const amber = 'marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421';
const id = (type: string, n: number) => `${type}--a11a0000-0000-4000-8000-00000000000${n}`;
const beacon = id('indicator', 1);
const sample = id('malware', 2);
const incident = id('incident', 3);

/** What Utopia hands in: each is given under another clause. */
const objects = [
  { type: 'indicator', id: beacon, name: 'Quayside beacon', description: 'Asks for orders every nine minutes.', pattern: "[domain-name:value = 'quayside.example']", pattern_type: 'stix', valid_from: now },
  { type: 'malware', id: sample, name: 'Bollard', description: 'Found at a harbour authority of Utopia.', is_family: true },
  { type: 'incident', id: incident, name: 'Night at the harbour office', description: 'Files were copied.' },
];

const text = `accord "uto-xer" {
  title     = "Harbour intelligence between Utopia and Erewhon"
  version   = 1
  mode      = operational
  effective = "2026-01-01"
  expires   = "2036-01-01"
  purpose   = [net-defence, incident-response]
  never     = [law-enforcement]

  party "UTO" {
    keys = "keylog:uto"
  }
  party "XER" {
    keys = "keylog:xer"
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
  give "samples" {
    from    = any
    kind    = [malware]
    ceiling = AMBER
    strip   = ["malware.description"]
  }
  give "incidents" {
    from            = any
    kind            = [incident]
    ceiling         = AMBER
    release-officer = required
  }
  handle {
    default = AMBER
    retain  = "365d"
    pap     = AMBER
    onward  = none
  }
  suspend { by = any-party }
  terminate {
    notice   = "30d"
    purge    = "30d"
    receipts = required
  }
}
`;

let browser: Browser;
let partner: Running;
let door: string;
let token: string;

/** Asks the partner's node as its people would. */
async function there(method: string, path: string, sent: { json?: unknown; body?: string } = {}): Promise<Answer> {
  const bytes: Record<string, string> = sent.body === undefined ? {} : { 'Content-Type': 'application/octet-stream' };
  return ask(partner.base, partner.data, method, '/api/v1' + path, { ...sent, headers: { Authorization: 'Bearer ' + token, ...bytes } });
}

/** Asks the node of the stories as one of its accounts. */
const here = (as: string, method: string, path: string, json?: unknown) => ask(inject('base'), inject('data'), method, '/api/v1' + path, { json, headers: { Authorization: 'Bearer ' + inject('tokens')[as] } });

beforeAll(async () => {
  browser = await launch();
  door = `127.0.0.1:${await freePort()}`;
  partner = await start({ 'entente.toml': listening(door) }, theirs);
  token = run('token', 'add', '--data', partner.data, 'stories', '--role', 'admin,signatory,officer').trim();
  const bundle = join(inject('data'), 'alliance.json');
  writeFileSync(bundle, JSON.stringify({ type: 'bundle', id: 'bundle--a11a0000-0000-4000-8000-000000000009', objects: objects.map((o) => ({ spec_version: '2.1', created: now, modified: now, object_marking_refs: [amber], ...o })) }));
  run('object', 'import', '--data', inject('data'), '--collection', 'starter', bundle);
});
afterAll(async () => {
  await browser.close();
  await partner.stop();
});

/** Opens the simulator of an accord with an object of that name. */
async function simulate(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name: 'Simulator' }).click();
  await page.getByLabel('Try it with an object').fill(name);
  await page.getByRole('option', { name: new RegExp(name) }).first().waitFor();
  await page.getByLabel('Try it with an object').press('Enter');
  await page.getByRole('heading', { name: 'Erewhon CERT (XER)' }).waitFor();
}

/** Shares an object from its page, after the node has said what its label becomes. */
async function share(page: Page, object: string): Promise<void> {
  await page.goto(`/app/objects/${object}?tab=shared`);
  await page.getByRole('button', { name: 'Share…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Share under an accord' });
  await dialog.getByRole('checkbox', { name: 'Erewhon CERT (XER)' }).waitFor();
  await dialog.getByRole('button', { name: 'What would change?' }).click();
  await dialog.getByText('Wider: others may have it then').first().waitFor();
  await accessible(page);
  await dialog.getByRole('button', { name: 'Share', exact: true }).click();
  await page.getByText('It is shared under uto-xer').waitFor();
}

test('two nations meet: a card, both fingerprints, two people', async () => {
  const theirCard = (await there('GET', '/card?address=' + door)).body;
  const file = join(inject('data'), 'xer.card');
  writeFileSync(file, typeof theirCard === 'string' ? theirCard : JSON.stringify(theirCard));
  const v = await visit(browser, { as: 'ada' });
  const { page } = v;
  await page.goto('/app/partners');
  await page.getByText('No nation is known yet').waitFor();
  await page.getByRole('list', { name: 'Our own fingerprint' }).waitFor();
  await expect.poll(() => page.getByRole('img', { name: 'The fingerprint of UTO as a QR code' }).evaluate((i: HTMLImageElement) => i.naturalWidth)).toBeGreaterThan(0);
  await accessible(page);
  await page.getByRole('link', { name: 'A page to print' }).click();
  await page.getByRole('list', { name: 'Our own fingerprint' }).waitFor();
  await accessible(page);
  await page.emulateMedia({ media: 'print' });
  expect(await page.getByRole('button', { name: 'Print' }).isVisible()).toBe(false);
  expect(await page.getByRole('img', { name: 'The fingerprint of UTO as a QR code' }).isVisible()).toBe(true);
  expect(await page.getByRole('navigation', { name: 'Console' }).count()).toBe(0);
  await picture(page, 'sheet');
  await page.emulateMedia({ media: 'screen' });
  await page.goto('/app/partners');
  await page.getByRole('link', { name: 'Add a partner' }).click();
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByRole('list', { name: 'Fingerprint of XER' }).waitFor();
  const add = page.getByRole('button', { name: 'Add XER' });
  expect(await add.isDisabled()).toBe(true);
  await accessible(page);
  const heard = page.getByLabel('Write down what they read');
  const words: string = (await there('GET', '/keys')).body.words;
  const read = page.getByRole('checkbox', { name: /XER read these words/ });
  await heard.fill(words.replace(/^\S+ \S+/, (two) => two.split(' ')[0] + ' mistaken'));
  await page.getByText(/^Word 2 differs/).waitFor();
  expect(await read.isDisabled()).toBe(true);
  await accessible(page);
  await heard.fill(words.toUpperCase());
  await page.getByText('Every word is the same', { exact: true }).waitFor();
  expect(await read.isChecked()).toBe(true); // what was written down is compared for the reader
  await heard.fill(`ENTENTE:XER:${'0'.repeat(64)}`);
  await page.getByText('This is the code of another key log').waitFor();
  expect(await read.isChecked()).toBe(false);
  await heard.fill('');
  await page.getByText('Show our code to their camera').click();
  await accessible(page);
  await read.check();
  await page.getByRole('checkbox', { name: /We read these words/ }).check();
  await add.click();
  await page.getByText('XER is a partner now').waitFor();

  const ours = (await here('ada', 'GET', '/keys')).body.fingerprint;
  const ourCard = (await here('ada', 'GET', '/card?address=' + inject('door'))).body;
  const met = await there('POST', `/peers?nation=UTO&fingerprint=${ours}`, { body: typeof ourCard === 'string' ? ourCard : JSON.stringify(ourCard) });
  expect(met.status).toBe(201);
  await page.getByText('Connected', { exact: true }).waitFor();
  await page.getByText('XER', { exact: true }).first().click();
  await page.getByText('Receipts not sent yet').waitFor();
  await accessible(page);
  await leave(v);
});

test('an accord is drafted, read in sentences and signed by both', async () => {
  const drafter = await visit(browser, { as: 'ana' });
  let { page } = drafter;
  await page.goto('/app/accords/new');
  const field = page.getByRole('textbox', { name: 'The text that is signed' });
  await field.fill(text.replace('ceiling = AMBER', 'ceiling = MAUVE'));
  await page.getByRole('button', { name: /^Line 24:/ }).waitFor();
  await accessible(page);
  await page.getByRole('button', { name: /^Line 24:/ }).click();
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('TEXTAREA');
  await field.fill(text);
  await page.getByText('The text can be read').waitFor();
  await accessible(page);
  await page.getByRole('button', { name: 'Keep the draft' }).click();
  await page.getByRole('heading', { level: 1, name: 'Harbour intelligence between Utopia and Erewhon' }).waitFor();
  expect(await page.getByRole('button', { name: 'Sign…' }).count()).toBe(0); // who drafts does not sign
  await leave(drafter);

  const signatory = await visit(browser, { as: 'sigrid' });
  page = signatory.page;
  await page.goto('/app/accords/uto-xer');
  await page.getByRole('button', { name: 'Sign…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Sign uto-xer v1' });
  await dialog.getByText('Your signature binds the organisation. It cannot be taken back.').waitFor();
  await dialog.getByText(/^sha256:[0-9a-f]{64}$/).waitFor();
  await accessible(page);
  await dialog.getByRole('checkbox').check();
  await dialog.getByRole('button', { name: 'Sign', exact: true }).click();
  await page.getByText('uto-xer v1 is signed').waitFor();
  await page.getByRole('row', { name: /UTO/ }).getByText('1 of 1: bound').waitFor();

  await expect.poll(async () => (await there('GET', '/accords/uto-xer')).status).toBe(200);
  expect((await there('POST', '/accords/uto-xer/sign')).status).toBe(200);
  await expect.poll(async () => (await here('ana', 'GET', '/accords/uto-xer')).body.phase).toBe('active');
  await page.reload();
  await page.getByText('In force', { exact: true }).first().waitFor();
  await page.getByRole('row', { name: /^XER/ }).getByRole('cell', { name: 'Erewhon CERT', exact: true }).waitFor();
  expect(await page.getByRole('button', { name: 'Sign…' }).count()).toBe(0);
  await page.getByRole('button', { name: /^Show line/ }).nth(3).click();
  await accessible(page);
  await picture(page, 'accord');
  await leave(signatory);
});

test('what would leave is what leaves, and its receipt comes back', async () => {
  const v = await visit(browser, { as: 'ana' });
  const { page } = v;
  await page.goto('/app/accords/uto-xer');
  await simulate(page, 'Quayside beacon');
  await page.getByText('Withheld', { exact: true }).waitFor();
  await page.getByText("the originator's audience does not reach the receiver by name").first().waitFor();
  await accessible(page);

  await share(page, beacon);
  await expect.poll(async () => (await there('GET', '/objects/' + beacon)).status).toBe(200);
  await page.getByText('Stored', { exact: true }).first().waitFor();
  await page.getByRole('row', { name: /Erewhon CERT/ }).first().waitFor();
  await accessible(page);

  await share(page, sample);
  await page.goto('/app/accords/uto-xer');
  await simulate(page, 'Bollard');
  await page.getByText('Reduced', { exact: true }).waitFor();
  await page.getByText('/description', { exact: true }).waitFor();
  await accessible(page);
  await page.evaluate(() => scrollTo(0, 480));
  await picture(page, 'simulator');
  await leave(v);
});

test('a release officer signs what waits; others look', async () => {
  const ana = await visit(browser, { as: 'ana' });
  await share(ana.page, incident);
  await ana.page.goto('/app/releases');
  await ana.page.getByRole('link', { name: /Night at the harbour office/ }).waitFor();
  await ana.page.getByText('A release officer decides on these.').waitFor();
  expect(await ana.page.getByRole('button', { name: 'Sign' }).count()).toBe(0);
  await leave(ana);

  const v = await visit(browser, { as: 'rolf', scheme: 'dark' });
  await v.page.goto('/app/releases');
  await v.page.getByRole('row', { name: /Night at the harbour office/ }).getByRole('button', { name: 'Sign' }).click();
  await accessible(v.page);
  await v.page.getByRole('dialog').getByLabel('Reason').fill('They were at the office, too.');
  await v.page.getByRole('dialog').getByRole('button', { name: 'Sign', exact: true }).click();
  await v.page.getByRole('heading', { name: /^Decided/ }).waitFor();
  await v.page.getByText('They were at the office, too.').waitFor();
  await accessible(v.page);
  await expect.poll(async () => (await there('GET', '/objects/' + incident)).status).toBe(200);
  await leave(v);
});

test('an officer takes an object back, and suspends and resumes the accord', async () => {
  const v = await visit(browser, { as: 'otto', scheme: 'dark' });
  const { page } = v;
  await page.goto(`/app/objects/${beacon}?tab=shared`);
  await page.getByRole('row', { name: /uto-xer v1 give indicators/ }).first().waitFor();
  await page.getByRole('button', { name: 'Retract…' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('It was a weather buoy.');
  await page.getByRole('dialog').getByRole('button', { name: 'Retract', exact: true }).click();
  await page.getByText('Taken out', { exact: true }).first().waitFor();
  await page.getByText('No partner holds it').waitFor();
  await accessible(page);
  await expect.poll(async () => (await there('GET', '/objects/' + beacon)).status).toBe(404);

  await page.goto('/app/accords/uto-xer?tab=notices');
  await page.getByRole('button', { name: 'Suspend…' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('A question is open.');
  await accessible(page);
  await page.getByRole('dialog').getByRole('button', { name: 'Suspend', exact: true }).click();
  await page.getByRole('cell', { name: 'A question is open.' }).waitFor();
  await expect.poll(async () => (await there('GET', '/accords/uto-xer')).body.phase).toBe('suspended');
  await page.getByRole('button', { name: 'Resume…' }).waitFor();
  await accessible(page);
  await leave(v);
});

test.each(['light', 'dark'] as const)('an amendment says what becomes wider and what narrower (%s)', async (scheme) => {
  const v = await visit(browser, { as: 'ana', scheme });
  const { page } = v;
  await page.goto('/app/accords/new?amend=uto-xer');
  const field = page.getByRole('textbox', { name: 'The text that is signed' });
  await expect.poll(() => field.inputValue()).toContain('supersedes');
  await field.fill((await field.inputValue()).replace(/(give "incidents"[^}]*ceiling\s*= )AMBER/, '$1AMBER-STRICT').replace(/(give "indicators"[^}]*ceiling\s*= )AMBER/, '$1GREEN'));
  await page.getByText('Wider', { exact: true }).first().waitFor();
  await page.getByText('Narrower', { exact: true }).first().waitFor();
  await accessible(page);
  await page.goto('/app/accords');
  await page.getByRole('row', { name: /uto-xer/ }).waitFor();
  await accessible(page);
  await page.goto('/app/partners');
  await page.getByText('XER', { exact: true }).first().click();
  await accessible(page);
  await leave(v);
});

test('a new accord is begun with a form, edited with its sentences beside it, kept and proposed', async () => {
  const drafter = await visit(browser, { as: 'ana' });
  let { page } = drafter;
  await page.goto('/app/accords/new');
  const go = page.getByRole('button', { name: 'Write the text' });
  await page.getByText('This form needs 2 parties.').waitFor();
  expect(await go.isDisabled()).toBe(true);
  await page.getByRole('checkbox', { name: /^XER/ }).check();
  await expect.poll(() => page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('uto-xer-2'); // there is one of that name
  await page.getByRole('radio', { name: /^Meeting of experts/ }).check();
  await expect.poll(() => page.getByRole('checkbox', { name: /^Papers/ }).isChecked()).toBe(true);
  await page.getByRole('checkbox', { name: /^Sightings/ }).check();
  await page.getByRole('textbox', { name: 'Name' }).fill('Quay Papers');
  await page.getByRole('textbox', { name: 'Title' }).fill('Papers of the harbour');
  await accessible(page);
  await go.click();
  await page.getByRole('alert').waitFor(); // the node says what a name is
  await page.getByRole('textbox', { name: 'Name' }).fill('quay-papers');
  await go.click();
  const field = page.getByRole('textbox', { name: 'The text that is signed' });
  await expect.poll(() => field.inputValue()).toContain('give "sightings"');
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('TEXTAREA');
  await page.getByText('The text can be read').waitFor();
  await page.getByText('It has no end.').waitFor();
  await field.fill((await field.inputValue()).replace('onward      = none', 'onward      = community'));
  await field.fill((await field.inputValue()).replace(/community\s+= parties\n/, ''));
  await page.getByText('[handle.onward]').waitFor(); // a warning comes while one writes
  await field.fill((await field.inputValue()).replace('onward      = community', 'onward      = none'));
  await page.getByText('[handle.onward]').waitFor({ state: 'detached' });
  await accessible(page);
  await picture(page, 'accord-new');
  await page.getByRole('button', { name: 'Keep the draft' }).click();
  await page.getByRole('heading', { level: 1, name: 'Papers of the harbour' }).waitFor();
  await leave(drafter);

  const signatory = await visit(browser, { as: 'sigrid' });
  page = signatory.page;
  await page.goto('/app/accords/quay-papers');
  await page.getByRole('button', { name: 'Sign…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Sign quay-papers v1' });
  await dialog.getByRole('checkbox').check();
  await dialog.getByRole('button', { name: 'Sign', exact: true }).click();
  await page.getByText('Proposed', { exact: true }).first().waitFor();
  await expect.poll(async () => (await there('GET', '/accords/quay-papers')).status).toBe(200); // the other side has it before it
  await leave(signatory);
});
