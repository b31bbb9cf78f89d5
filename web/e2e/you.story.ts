import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, inject, test } from 'vitest';
import { accessible, launch, leave, visit } from './browser';
import { totp } from './person';
import { password, run } from './setup';
import { join } from 'node:path';

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test('a person sets up one-time codes and a passkey, and signs in with a code', async () => {
  run('user', 'add', '--data', inject('data'), 'yara', '--role', 'reader', '--password-file', join(inject('data'), 'stories.password'));
  const v = await visit(browser);
  const { page } = v;
  const devices = await v.context.newCDPSession(page);
  await devices.send('WebAuthn.enable');
  await devices.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true } });
  await page.goto('/app/you');
  await page.getByLabel('Account').fill('yara');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'Set up one-time codes' }).click();
  await page.getByText('Enter it by hand').click();
  const secret = (await page.getByRole('dialog').locator('details code').textContent()) ?? '';
  await page.getByLabel('First code').fill(totp(secret));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('One-time codes are set up').waitFor();
  await accessible(page);
  await page.getByRole('button', { name: 'I have kept them' }).click();
  await page.getByText(/recovery codes are left/).waitFor();
  await accessible(page);

  // Passkeys belong to a name and not to an address: on an address the browser makes none, and says so.
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await accessible(page);
  await page.getByRole('button', { name: 'Cancel' }).click();

  await page.getByRole('group', { name: 'You and your settings' }).or(page.locator('summary').first()).first().click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Account').fill('yara');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByLabel('Code').fill(totp(secret, Date.now() + 30_000)); // the first one is spent
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('Password and code').first().waitFor();
  await leave(v);
});

test('in the dark, in German', async () => {
  const v = await visit(browser, { as: 'ana', scheme: 'dark' });
  await v.page.goto('/app/you');
  await v.page.getByRole('main').getByLabel('Language').selectOption('de');
  await v.page.getByRole('heading', { name: 'Ihr Konto' }).waitFor();
  await accessible(v.page);
  await leave(v);
});
