import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Plugin } from 'vite';

/** Writes NOTICES.txt: the licence of every package of which something is in the bundle. */
export function notices(): Plugin {
  return {
    name: 'notices',
    apply: 'build',
    generateBundle(_, bundle) {
      const roots = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        const from = chunk.type === 'chunk' ? Object.keys(chunk.modules) : chunk.originalFileNames;
        for (const file of from) {
          const root = packageOf(resolve(import.meta.dirname, file.split('?')[0] ?? ''));
          if (root) roots.add(root);
        }
      }
      roots.add(join(import.meta.dirname, 'node_modules/@fontsource-variable/inter')); // its style sheet is part of ours
      const texts = [...roots].sort().map(notice);
      this.emitFile({ type: 'asset', fileName: 'NOTICES.txt', source: texts.join('\n' + '-'.repeat(80) + '\n\n') });
    },
  };
}

function packageOf(file: string): string | undefined {
  const at = file.lastIndexOf('node_modules/');
  if (at < 0) return undefined;
  const [scope = '', name = ''] = file.slice(at + 'node_modules/'.length).split('/');
  const root = join(dirname(file.slice(0, at) + 'node_modules/x'), scope.startsWith('@') ? join(scope, name) : scope);
  return existsSync(join(root, 'package.json')) ? root : undefined;
}

function notice(root: string): string {
  const about = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string; version: string; license?: string };
  const file = readdirSync(root).find((name) => /^licen[cs]e/i.test(name));
  if (!file) throw new Error(`${about.name} says nowhere under which licence it is`);
  return `${about.name} ${about.version} (${about.license ?? 'see below'})\n\n${readFileSync(join(root, file), 'utf8').trim()}\n`;
}
