import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { expect, inject } from 'vitest';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => existsSync(p));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// The pictures of the documentation are made when they are asked for, with make screenshots.
const shots = process.env.ENTENTE_SCREENSHOTS ? join(import.meta.dirname, '../../docs/screenshots') : join(import.meta.dirname, 'out');

/** Starts the browser. One that dies as it starts, which Chromium does now and then on a busy machine, is no finding about the console: it is started again. */
export async function launch(attempts = 3): Promise<Browser> {
  try {
    return await chromium.launch({
      executablePath,
      timeout: 120_000,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
  } catch (e) {
    if (attempts <= 1) throw e;
    return launch(attempts - 1);
  }
}

export interface Visit {
  context: BrowserContext;
  page: Page;
  /** What must not have happened: broken policies, failures of scripts, requests that left the node. */
  faults: string[];
}

/** Who visits, how, and at which of the node's names. */
export interface Visitor {
  as?: string;
  scheme?: 'light' | 'dark';
  width?: number;
  height?: number;
  at?: string;
}

/** Opens the console as somebody would who has that colour scheme. With an account it is signed in; without one it is not. */
export async function visit(browser: Browser, { as, scheme = 'light', width = 1440, height = 900, at = inject('base') }: Visitor = {}): Promise<Visit> {
  const base = at;
  const context = await browser.newContext({
    baseURL: base,
    ignoreHTTPSErrors: true, // the node's own authority, of this run only
    colorScheme: scheme,
    viewport: { width, height },
    locale: 'en-GB',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
  });
  if (as) {
    const [name = '', value = ''] = (inject('cookies')[as] ?? '').split('=');
    await context.addCookies([{ name, value, url: base, httpOnly: true, secure: true, sameSite: 'Strict' }]);
  }
  // What is made durable waits for the disk, which others may keep busy.
  context.setDefaultTimeout(120_000);
  const faults: string[] = [];
  const page = await context.newPage();
  page.on('pageerror', (e) => faults.push('script: ' + e.message));
  page.on('console', (m) => {
    if (/Content Security Policy|Trusted Type|Refused to/i.test(m.text())) faults.push('policy: ' + m.text());
  });
  page.on('request', (r) => {
    if (!r.url().startsWith(base) && !r.url().startsWith('data:') && !r.url().startsWith('blob:')) faults.push('left the node: ' + r.url());
  });
  // What the console says for six seconds stays for as long as a story may look: on a busy machine it would be gone before that. On the pictures of the documentation it is not wanted.
  if (!process.env.ENTENTE_SCREENSHOTS) await page.addInitScript(() => {
    const set = window.setTimeout.bind(window);
    window.setTimeout = ((f: () => void, after?: number) => set(f, after === 6000 ? 120_000 : after)) as typeof window.setTimeout;
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => console.error(`Content Security Policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  return { context, page, faults };
}

/** Ends a visit, and fails if something happened that must not. */
export async function leave(v: Visit): Promise<void> {
  await v.context.close();
  expect(v.faults).toEqual([]);
}

/** Waits until a screen stands: between two there is no heading, and what is under way says so. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('h1') && !document.querySelector('.waiting, [aria-busy=true]'));
  // What was answered last is drawn in the next frame.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Looks for barriers with axe: WCAG 2.2 A and AA. */
export async function accessible(page: Page): Promise<void> {
  await settled(page);
  const found = await page.evaluate(async (source) => {
    // The page's policy allows no script but its own: axe runs in the tool's own context of evaluation.
    const run = new Function(source + '; return window.axe;') as () => { run(node: Document, options: object): Promise<{ violations: { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[] }> };
    const result = await run().run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return result.violations.flatMap((v) => v.nodes.slice(0, 5).map((n) => `${v.impact} ${v.id} ${n.target.join(' ')}: ${n.failureSummary.replace(/\s+/g, ' ')}`));
  }, axe);
  expect(found).toEqual([]);
}

/** Puts a screen on paper: nothing of it may be cut, and what belongs to a screen alone is missing. The page is given as it is printed; then it is a screen again. */
export async function printed(page: Page, look: () => Promise<unknown>): Promise<void> {
  await settled(page);
  const size = page.viewportSize();
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize({ width: 718, height: 1046 }); // A4 within its margins
  const cut = () => page.evaluate(() => [...document.querySelectorAll('main *')]
    .filter((e) => {
      if (e.closest('.visually-hidden')) return false;
      const box = e.getBoundingClientRect();
      return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1 || (getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1));
    })
    .map((e) => e.outerHTML.slice(0, 120)));
  await expect.poll(cut).toEqual([]); // what is drawn to measure follows the size of the paper a moment later
  for (const hidden of ['navigation', 'search', 'button', 'tablist'] as const) expect(await page.getByRole(hidden).and(page.locator('.no-print, .no-print *')).count(), hidden).toBe(0);
  await look();
  const sheet = await page.pdf({ format: 'A4', margin: { top: '1cm', bottom: '1cm', left: '1cm', right: '1cm' } });
  expect(sheet.subarray(0, 5).toString()).toBe('%PDF-');
  await page.emulateMedia({ media: null });
  if (size) await page.setViewportSize(size);
}

/** Takes a picture of what is seen. */
export async function picture(page: Page, name: string): Promise<void> {
  await settled(page);
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, name + '.png'), animations: 'disabled', caret: 'hide' });
}
