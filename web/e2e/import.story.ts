import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

const report = `Harbour phishing, second wave
The mails led to hxxps://portal-login[.]harbour-mail[.]com/signin and were sent from 198.51.100.77.
The dropper (SHA-256 2f0a5c1de3b7b2a94fd0c8a4a4d2e9a1f7c65f1f1f0c3b0a9e8d7c6b5a493827) talks to 10.1.2.3 and updates from github.com.
It uses CVE-2024-3400 and T1566.002. Contact: abuse@harbour-mail.com`;

test('a pasted report is reviewed, imported, and found again', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto('/app/import');
  await v.page.getByLabel('Text', { exact: true }).fill(report);
  await v.page.keyboard.press('Control+Enter');

  const table = v.page.getByRole('table');
  await table.getByText('https://portal-login.harbour-mail.com/signin', { exact: true }).waitFor();
  expect(await table.getByLabel('Take 198.51.100.77').isChecked()).toBe(true);
  expect(await table.getByLabel('Take 10.1.2.3').isChecked()).toBe(false); // private: doubtful
  expect(await table.getByLabel('Take github.com').isChecked()).toBe(false);
  expect(await v.page.getByLabel('Name of the report').inputValue()).toBe('Harbour phishing, second wave');
  await accessible(v.page);
  await picture(v.page, 'import');

  // A value is changed, and the node says what it is then.
  await table.getByRole('button', { name: 'Change 198.51.100.77' }).click();
  await v.page.getByRole('dialog').getByLabel('Value').fill('198[.]51[.]100[.]78');
  await v.page.getByRole('button', { name: 'Put it in' }).click();
  await table.getByLabel('Take 198.51.100.78').waitFor();

  await v.page.getByLabel('Observables').check();
  await v.page.getByRole('radio', { name: 'TLP:GREEN' }).check();
  await v.page.getByText('Your organisation, its clients and the community may read this.').waitFor();
  await v.page.getByRole('button', { name: 'Go on' }).click();
  await v.page.getByRole('heading', { name: /Made of the values/ }).waitFor();
  await accessible(v.page);
  await v.page.getByRole('button', { name: 'Import', exact: true }).click();
  const link = v.page.getByRole('main').getByRole('link', { name: 'Harbour phishing, second wave' });
  await link.waitFor();
  await v.page.getByText(/Added: \d+/).waitFor();
  await accessible(v.page);

  await expect.poll(async () => {
    await v.page.goto('/app/search?q=harbour+phishing');
    return v.page.getByRole('main').getByText('Harbour phishing, second wave').first().waitFor({ timeout: 10_000 }).then(() => true, () => false);
  }, { interval: 500 }).toBe(true);
  await leave(v);
});

test('a bundle shows what is new and what is wrong, and an import that was cut off goes on', async () => {
  const v = await visit(browser, { as: 'ana' });
  await v.page.goto('/app/import');
  const bundle = {
    type: 'bundle',
    id: 'bundle--5d0a8b57-3b1c-4a56-9f0e-2f6a3d1c9b11',
    objects: [
      { type: 'malware', spec_version: '2.1', id: 'malware--0b8a2f63-6c0c-4a55-8d68-7a0e9d1c2b3a', created: '2026-01-01T00:00:00.000Z', modified: '2026-01-01T00:00:00.000Z', name: 'Kelp', is_family: true },
      { type: 'malware', spec_version: '2.1', id: 'malware--1b8a2f63-6c0c-4a55-8d68-7a0e9d1c2b3a', created: '2026-01-01T00:00:00.000Z', modified: '2026-01-01T00:00:00.000Z', name: 'Broken' },
    ],
  };
  await v.page.locator('input[type=file]').setInputFiles({ name: 'kelp.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(bundle)) });
  await v.page.getByRole('button', { name: 'Look at what it contains' }).click();
  await v.page.getByText('New: 1').waitFor();
  await v.page.getByText('Unusable: 1').waitFor();
  await accessible(v.page);
  await v.page.getByRole('group', { name: 'For what has no TLP' }).getByRole('radio', { name: 'TLP:CLEAR' }).check();
  await v.page.getByRole('button', { name: 'Go on' }).click();

  // The first answer ends before its last line.
  await v.page.route('**/api/v1/objects?*', (r) => r.fulfill({ status: 200, contentType: 'application/x-ndjson', body: '{"progress":{"done":1,"total":2}}\n' }), { times: 1 });
  await v.page.getByRole('button', { name: 'Import', exact: true }).click();
  await v.page.getByText(/^The import was cut off/).last().waitFor();
  await v.page.getByRole('button', { name: 'Go on' }).click();
  await v.page.getByText('Added: 1').waitFor();
  await v.page.getByText('Refused: 1').waitFor();
  await leave(v);
});

describe('the import in the dark', () => {
  test('has no barriers', async () => {
    const v = await visit(browser, { as: 'ana', scheme: 'dark' });
    await v.page.goto('/app/import');
    await v.page.getByLabel('Text', { exact: true }).fill(report);
    await accessible(v.page);
    await v.page.getByRole('button', { name: 'Look at what it contains' }).click();
    await v.page.getByRole('table').waitFor();
    await accessible(v.page);
    await leave(v);
  });
});
