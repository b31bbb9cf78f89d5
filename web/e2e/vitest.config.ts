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
    testTimeout: 240_000,
    expect: { poll: { timeout: 30_000, interval: 100 } }, // a busy machine draws late
    hookTimeout: 180_000,
    sequence: { concurrent: false },
  },
});
