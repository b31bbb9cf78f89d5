import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: import.meta.dirname,
  cacheDir: join(import.meta.dirname, '../node_modules/.vite'),
  resolve: { alias: { $: join(import.meta.dirname, '../src') } },
  test: {
    include: ['*.story.ts'],
    globalSetup: ['./setup.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    expect: { poll: { timeout: 15_000, interval: 100 } }, // a busy machine draws late
    hookTimeout: 60_000,
    sequence: { concurrent: false },
  },
});
