import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { notices } from './notices.ts';

const placeholder = 'placeholder.html';

/** Keeps the placeholder that stands in dist when nothing is built, and puts a compressed copy beside every text. */
function embedded(): Plugin {
  let dir = '';
  return {
    name: 'embedded',
    apply: 'build',
    configResolved(config) {
      dir = config.build.outDir;
    },
    buildStart() {
      for (const name of readdirSync(dir)) if (name !== placeholder) rmSync(join(dir, name), { recursive: true });
    },
    writeBundle(_, bundle) {
      for (const name of Object.keys(bundle)) {
        if (!/\.(js|css|svg|txt)$/.test(name)) continue;
        const file = join(dir, name);
        writeFileSync(file + '.gz', gzipSync(readFileSync(file), { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), notices(), embedded()],
  resolve: { alias: { $: join(import.meta.dirname, 'src') } },
  build: {
    outDir: 'dist',
    emptyOutDir: false,
    assetsInlineLimit: 0,
    target: ['chrome123', 'firefox128', 'safari17.5'],
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 300,
  },
  server: { proxy: { '/api': { target: 'https://127.0.0.1:8443', secure: false }, '/auth': { target: 'https://127.0.0.1:8443', secure: false } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
