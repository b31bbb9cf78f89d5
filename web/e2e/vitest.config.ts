import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Stories are about what people see. Where there is room in memory nodes keep their data there: tests that run beside them fill the disk, kill programs that write, and may keep it
// busy for longer than a person would wait.
const memory = '/dev/shm';
if (existsSync(memory)) {
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize > 4 * 2 ** 30) process.env['TMPDIR'] = memory;
}

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
