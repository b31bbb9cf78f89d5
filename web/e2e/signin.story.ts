import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { accessible, launch, leave, picture, visit } from './browser';
import { totp } from './person';
import { password, run, start } from './setup';

/** What an authenticator of the browser's tools holds. */
interface Credential {
  credentialId: string;
  isResidentCredential: boolean;
  rpId?: string;
  privateKey: string;
  userHandle?: string;
  signCount: number;
}

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test.each(['light', 'dark'] as const)('whoever is not signed in is asked to, in %s', async (scheme) => {
  const v = await visit(browser, { scheme });
  await v.page.goto('/app/search?q=low');
  await v.page.getByRole('heading', { name: 'Utopia CERT' }).waitFor();
  await accessible(v.page);
  if (scheme === 'light') await picture(v.page, 'sign-in');
  await leave(v);
});

test('by keyboard alone: sign in, search, open what was found, come back, sign out', async () => {
  const v = await visit(browser);
  const { page } = v;
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
  await page.goto('/');
  await page.getByLabel('Account').waitFor();
  await page.keyboard.type('frida');
  await page.keyboard.press('Tab');
  await page.keyboard.type('not the password');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('Not signed in').waitFor();
  await accessible(page);
  expect(await page.getByLabel('Password').inputValue()).toBe('');
  await page.getByLabel('Password').focus();
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');

  await page.getByRole('heading', { name: 'What is new' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('low tide');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/app/search?q=low+tide');
  await page.getByRole('link', { name: /Low Tide: what is known/ }).waitFor();
  await page.keyboard.press('ArrowDown');
  expect(await focused()).toContain('Low Tide');
  await page.keyboard.press('End');
  const last = await focused();
  await page.keyboard.press('Home');
  expect(await focused()).not.toBe(last);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/app/objects/*');
  await page.getByRole('tab', { name: 'Overview' }).waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('H1');

  await page.getByRole('tab', { name: 'Overview' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.waitForURL('**?tab=connections');
  await page.goBack();
  await page.waitForURL('**/app/search?q=low+tide');
  await expect.poll(() => page.getByLabel('Search the node').inputValue()).toBe('low tide');

  await page.locator('summary').filter({ hasText: 'frida' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Sign out' }).focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Account').waitFor();
  expect((await page.request.get('/api/v1/me')).status()).toBe(401);
  await leave(v);
});

test('an account whose role wants a second factor sets one up, and needs it from then on', async () => {
  const v = await visit(browser);
  const { page } = v;
  await page.goto('/app/search');
  await page.getByLabel('Account').fill('olga');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'One more key' }).waitFor();
  await accessible(page);
  await page.getByRole('button', { name: 'Set up one-time codes' }).click();
  await page.getByText('Enter it by hand').click();
  const secret = (await page.locator('details code').textContent()) ?? '';
  await accessible(page);
  const right = [-1, 0, 1, 2].map((steps) => totp(secret, Date.now() + steps * 30_000));
  await page.getByLabel('First code').fill(['000000', '111111', '222222', '333333', '444444'].find((code) => !right.includes(code)) ?? '');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('First code').fill(totp(secret));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('One-time codes are set up').waitFor();
  const recovery = (await page.locator('.codes li').first().textContent()) ?? '';
  await accessible(page);
  await page.getByRole('button', { name: 'I have kept them' }).click();
  await page.getByRole('heading', { name: 'Newest first' }).waitFor();

  await v.context.clearCookies();
  await page.goto('/');
  await page.getByLabel('Account').fill('olga');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByLabel('Code', { exact: true }).waitFor();
  await accessible(page);
  await page.getByLabel('Code', { exact: true }).fill(recovery);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'What is new' }).waitFor();
  await leave(v);
});

test('a passkey is set up and opens the account', async () => {
  const at = inject('base').replace('127.0.0.1', 'localhost'); // an address is no name that a passkey can be for
  const v = await visit(browser, { at });
  const { page } = v;
  const cdp = await v.context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true } });
  await page.goto('/');
  await page.getByLabel('Account').fill('oscar');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Set up a passkey' }).click();
  await page.getByRole('heading', { name: 'What is new' }).waitFor();
  await v.context.clearCookies();
  await page.goto('/');
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByRole('heading', { name: 'What is new' }).waitFor();
  await page.locator('summary').filter({ hasText: 'oscar' }).waitFor();
  await leave(v);
});

test.each(['light', 'dark'] as const)('an account has two passkeys; one that is removed, and one that names somebody else, open nothing (%s)', async (scheme) => {
  const name = 'pia-' + scheme;
  run('user', 'add', '--data', inject('data'), name, '--role', 'reader', '--password-file', join(inject('data'), 'stories.password'));
  const v = await visit(browser, { at: inject('base').replace('127.0.0.1', 'localhost'), scheme });
  const { page } = v;
  const cdp = await v.context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  /** Puts a key into the computer, with what it holds. */
  const plug = async (holds: Credential[] = []) => {
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'usb', hasResidentKey: true, hasUserVerification: true, isUserVerified: true } });
    for (const credential of holds) await cdp.send('WebAuthn.addCredential', { authenticatorId, credential });
    return authenticatorId;
  };
  /** Takes it out again, and tells what it holds. */
  const unplug = async (authenticatorId: string): Promise<Credential[]> => {
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
    await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
    return credentials;
  };
  const add = async (called: string) => {
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill(called);
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByText(`The passkey ${called} is kept`).waitFor();
  };
  const signOut = async () => {
    await v.context.clearCookies();
    await page.goto('/app/you');
    await page.getByLabel('Account').waitFor();
  };
  const withPasskey = () => page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  const refused = async () => {
    await withPasskey();
    await page.getByRole('alert').getByText('The passkey is not valid here').waitFor();
    expect((await page.request.get('/api/v1/me')).status()).toBe(401);
  };

  await page.goto('/app/you');
  await page.getByLabel('Account').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  let key = await plug();
  await add('Ring');
  const ring = await unplug(key);
  key = await plug();
  await add('Laptop');
  await page.getByRole('listitem').filter({ hasText: 'Laptop' }).waitFor();
  await accessible(page);

  await signOut();
  await withPasskey();
  await page.getByRole('heading', { level: 1, name: 'Your account' }).waitFor();
  await page.getByRole('button', { name: 'Remove Laptop' }).click();
  await accessible(page);
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('The passkey Laptop is removed').waitFor();
  await signOut();
  await refused();
  await accessible(page);

  // The ring goes on, unless it says that it is somebody else's.
  await unplug(key);
  key = await plug(ring.map((c) => ({ ...c, userHandle: Buffer.from('somebody else').toString('base64') })));
  await refused();
  await unplug(key);
  await plug(ring);
  await withPasskey();
  await page.locator('summary').filter({ hasText: name }).waitFor();
  await leave(v);
});

test('a session that ends is noticed, and the way back leads to the same place', async () => {
  const v = await visit(browser, { as: 'rita' });
  await v.page.goto('/app/search?q=low');
  await v.page.getByRole('link', { name: /Low Tide/ }).first().waitFor();
  await v.context.clearCookies();
  await v.page.getByLabel('Search the node').fill('low t');
  await v.page.getByLabel('Account').waitFor();
  expect(new URL(v.page.url()).pathname).toBe('/app/search');
  await leave(v);
});

test('the first administrator chooses a password with the link that a new node tells', async () => {
  const node = await start();
  try {
    const v = await visit(browser, { at: node.base });
    const { page } = v;
    const link = () => /https:\S+\/setup\/\S+(?=\s)/.exec(node.said())?.[0] ?? '';
    await expect.poll(link).not.toBe('');
    await page.goto(link());
    await page.getByLabel('Name of the account').fill('root');
    await accessible(page);
    await page.getByLabel(/^Password/).fill(password);
    await page.getByLabel('The same password again').fill(password + '?');
    await page.getByRole('button', { name: 'Make the account' }).click();
    await page.getByRole('alert').getByText('The two passwords differ.').waitFor();
    await page.emulateMedia({ colorScheme: 'dark' });
    await accessible(page);
    await page.getByLabel(/^Password/).fill(password);
    await page.getByLabel('The same password again').fill(password);
    await page.getByRole('button', { name: 'Make the account' }).click();
    await accessible(page);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByLabel('Account').fill('root');
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'One more key' }).waitFor();
    await leave(v);
  } finally {
    await node.stop();
  }
});
