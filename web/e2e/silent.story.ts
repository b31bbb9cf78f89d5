import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, leave, picture, visit, type Visit } from './browser';
import { ask, signIn } from './person';
import { password, program, run, start, type Running } from './setup';

let browser: Browser;
let node: Running;
let dir: string;
let cookie: string;
let sensor: ChildProcess;

const state = async (): Promise<string> => (await ask(node.base, node.data, 'GET', '/api/v1/sensors/quay-tap', { headers: { Cookie: cookie } })).body.state;
const watch = () => { sensor = spawn(program, ['sensor', 'run', '--data', join(dir, 'sensor')], { stdio: 'ignore' }); };
const end = async () => {
  if (sensor.exitCode !== null || sensor.signalCode !== null) return;
  const gone = new Promise((done) => sensor.once('exit', done));
  sensor.kill('SIGTERM');
  await gone;
};

/** Opens the node of this story as its administrator. */
async function open(more: { scheme?: 'light' | 'dark'; width?: number } = {}): Promise<Visit> {
  const v = await visit(browser, { at: node.base, ...more });
  const [name = '', value = ''] = cookie.split('=');
  await v.context.addCookies([{ name, value, url: node.base, httpOnly: true, secure: true, sameSite: 'Strict' }]);
  return v;
}

beforeAll(async () => {
  browser = await launch();
  dir = mkdtempSync(join(tmpdir(), 'entente-silent-'));
  node = await start({ 'entente.toml': '[detect]\nsilent_minutes = 1\n' });
  const file = join(node.data, 'stories.password');
  writeFileSync(file, password + '\n', { mode: 0o600 });
  run('user', 'add', '--data', node.data, 'ada', '--role', 'admin', '--password-file', file);
  cookie = await signIn(node.base, node.data, 'ada', password);
  const code = run('sensor', 'add', '--data', node.data, 'quay-tap').split('\n')[0]?.trim() ?? '';
  run('sensor', 'enrol', '--data', join(dir, 'sensor'), node.base, code);
  writeFileSync(join(dir, 'eve.json'), '');
  writeFileSync(join(dir, 'sensor', 'sensor.toml'), `[[input]]\nname = "suricata"\nkind = "files"\npaths = ["${join(dir, 'eve.json')}"]\n`);
  watch();
});
afterAll(async () => {
  await browser.close();
  await end();
  await node.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('a sensor that stops is an alarm that names it, until it is heard again', async () => {
  await expect.poll(state, { timeout: 120_000, interval: 1_000 }).toBe('well');
  await end();
  await expect.poll(state, { timeout: 180_000, interval: 1_000 }).toBe('silent');
  const v = await open();
  const { page } = v;
  await page.goto('/');
  await page.getByRole('link', { name: /Sensors.*1.*is silent/ }).waitFor();
  const alarms = page.getByRole('region', { name: /^Alarms/ });
  await alarms.getByText('Your sensor quay-tap says nothing any more.').waitFor();
  await accessible(page);
  await picture(page, 'sensor-alarm');
  await alarms.getByRole('link', { name: 'See the sensor: quay-tap' }).click();
  await page.getByRole('heading', { name: 'quay-tap' }).waitFor();
  await page.getByText('It says nothing any more. Look whether the machine runs').waitFor();
  await accessible(page);
  await picture(page, 'sensor-silent');
  await page.goto('/app/sensors');
  await page.getByText('One sensor is silent.').waitFor();
  await page.getByRole('row', { name: /^quay-tap/ }).getByText('Says nothing').waitFor();
  await accessible(page);
  await page.goto('/app/detections');
  await page.getByText('The sensor that there is says nothing.').waitFor();
  await accessible(page);
  await leave(v);

  const dark = await open({ scheme: 'dark', width: 390 });
  await dark.page.addInitScript(() => localStorage.setItem('entente.language', JSON.stringify('de')));
  await dark.page.goto('/app/links');
  await dark.page.getByText('Ihr Sensor quay-tap meldet sich nicht mehr.').waitFor();
  await accessible(dark.page);
  await dark.page.goto('/app/sensors');
  await dark.page.getByText('Ein Sensor schweigt.').waitFor();
  await accessible(dark.page);
  await leave(dark);

  watch();
  await expect.poll(state, { timeout: 120_000 }).toBe('well');
  const again = await open();
  await again.page.goto('/');
  await again.page.getByRole('link', { name: /Sensors.*1.*is heard/ }).waitFor();
  expect(await again.page.getByText('says nothing any more').count()).toBe(0);
  await leave(again);
}, 480_000);
