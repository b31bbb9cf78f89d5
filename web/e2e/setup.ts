import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHook } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { signIn } from './person';
import { versions } from './records';

declare module 'vitest' {
  interface ProvidedContext {
    base: string;
    data: string;
    /** Where partners' nodes are answered. */
    door: string;
    tokens: Record<string, string>;
    cookies: Record<string, string>;
  }
}

export const program = join(import.meta.dirname, '../../bin/entente');

/** Accounts of the stories and their roles. Each has the password below. */
export const accounts: Record<string, string[]> = {
  ada: ['admin'],
  ana: ['analyst'],
  otto: ['officer', 'auditor'],
  rita: ['reader'],
  reg: ['registrar'],
  sigrid: ['signatory'],
  rolf: ['releaser'],
};
/** Accounts that nobody is signed in to when the stories begin. */
export const fresh: Record<string, string[]> = { frida: ['analyst'], olga: ['officer'], oscar: ['officer'] };
export const password = 'correct horse battery';

/** A feed that reads a file beside it, and one whose file is not there. */
const feeds = `[[feed]]
name = "harbour-blocklist"
kind = "list"
file = "harbour.txt"
type = "ip"
label = "tlp:green"
confidence = 60
expire = "30d"
schedule = "manual"

[[feed]]
name = "lost"
kind = "stix"
file = "nowhere.json"
schedule = "manual"
label = "tlp:amber"
`;
/** A mail server that is not there, and a webhook that is. */
const channels = (port: number) => `
[[notify.smtp]]
name = "relay"
host = "127.0.0.1"
port = 9
tls = "none"
from = "Utopia CERT <soc@utopia.example>"

[[notify.webhook]]
name = "port-hook"
url = "http://127.0.0.1:${port}/entente"
secret_file = "hook.secret"
`;
const list = ['# seen at the harbour', ...Array.from({ length: 40 }, (_, i) => `203.0.113.${i + 1}`), 'not an address', 'neither.this', ''].join('\n');

/** A door for partners' nodes. */
export const listening = (door: string) => `[federation]\nlisten = "${door}"\n\n`;

/** A node that runs for the stories. */
export interface Running {
  base: string;
  data: string;
  /** What it wrote. */
  said: () => string;
  /** Ends it and leaves what it holds. */
  halt: () => Promise<void>;
  /** Ends it and takes away what it holds. */
  stop: () => Promise<void>;
}

/** Starts a node of the invented Utopia CERT with its starter set, or of somebody else with nothing, in a directory of its own. Files are put there first. */
export async function start(files: Record<string, string> = {}, whose?: { nation: string; org: string; realm?: string }): Promise<Running> {
  if (!existsSync(program)) throw new Error('bin/entente is not there: run make build first');
  const data = mkdtempSync(join(tmpdir(), 'entente-stories-'));
  const port = await freePort();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(data, name), text);
  let said = '';
  if (whose) run('init', '--data', data, '--nation', whose.nation, '--org', whose.org, ...(whose.realm ? ['--realm', whose.realm] : []));
  const node: ChildProcess = spawn(program, [...(whose ? ['serve'] : ['demo', '--alone']), '--data', data, '--listen', `127.0.0.1:${port}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  node.stdout?.on('data', (b: Buffer) => (said += b.toString()));
  node.stderr?.on('data', (b: Buffer) => (said += b.toString()));
  const halt = () => new Promise<void>((done) => {
    if (node.exitCode !== null || node.signalCode !== null) return done();
    node.once('exit', () => done());
    node.kill('SIGTERM');
  });
  const stop = async () => {
    await halt(); // else it still writes where it is taken away
    rmSync(data, { recursive: true, force: true });
  };
  try {
    await untilReady(data, node, () => said);
  } catch (e) {
    await stop();
    throw e;
  }
  return { base: `https://127.0.0.1:${port}`, data, said: () => said, halt, stop };
}

/** Starts one node for all stories, with an account for every role, and a session of each. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const hook = createHook((_, res) => res.writeHead(204).end());
  const port = await new Promise<number>((done) => hook.listen(0, '127.0.0.1', () => done((hook.address() as AddressInfo).port)));
  const door = `127.0.0.1:${await freePort()}`;
  const node = await start({ 'entente.toml': listening(door) + feeds + channels(port), 'harbour.txt': list, 'hook.secret': 'a secret of the stories\n' });
  const { base, data } = node;
  const stop = async () => {
    await node.stop();
    hook.close();
  };
  try {
    const file = join(data, 'stories.password');
    writeFileSync(file, password + '\n', { mode: 0o600 });
    const tokens: Record<string, string> = {};
    const cookies: Record<string, string> = {};
    for (const [name, roles] of Object.entries({ ...accounts, ...fresh })) run('user', 'add', '--data', data, name, '--role', roles.join(','), '--password-file', file);
    for (const [name, roles] of Object.entries(accounts)) {
      tokens[name] = run('token', 'add', '--data', data, 'stories-' + name, '--role', roles.join(',')).trim();
      cookies[name] = await signIn(base, data, name, password);
    }
    for (const objects of versions) {
      const bundle = join(data, 'stories.json');
      writeFileSync(bundle, JSON.stringify(objects));
      run('object', 'import', '--data', data, '--collection', 'starter', bundle);
    }
    project.provide('base', base);
    project.provide('data', data);
    project.provide('door', door);
    project.provide('tokens', tokens);
    project.provide('cookies', cookies);
  } catch (e) {
    await stop();
    throw e;
  }
  return stop;
}

/** Runs a command of the program and gives what it wrote. */
export function run(...args: string[]): string {
  const r = spawnSync(program, args, { encoding: 'utf8' });
  if (r.status !== 0) throw new Error(`entente ${args.join(' ')}: ${r.stderr}`);
  return r.stdout;
}

async function untilReady(data: string, node: ChildProcess, said: () => string): Promise<void> {
  for (const end = Date.now() + 180_000; Date.now() < end;) {
    if (node.exitCode !== null || node.signalCode !== null) break;
    if (said().includes('listening on') && spawnSync(program, ['status', '--data', data]).status === 0) return;
    await new Promise((go) => setTimeout(go, 100));
  }
  throw new Error('the node did not start: ' + said());
}

let next = 20_000 + Math.floor(Math.random() * 10_000);

/** A port that nobody has, below those that a system gives away by itself: until a node listens there nobody else is given it. */
export function freePort(): Promise<number> {
  const port = next++;
  return new Promise((done) => {
    const s = createServer();
    s.on('error', () => done(freePort()));
    s.listen(port, '127.0.0.1', () => s.close(() => done(port)));
  });
}
