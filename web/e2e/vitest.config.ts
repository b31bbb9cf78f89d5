import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Stories are about what people see. Where there is room in memory nodes keep their data there: tests that run beside them fill the disk, kill programs that write, and may keep it
// busy for longer than a person would wait.
const memory = '/dev/shm';
if (existsSync(memory)) {
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize > 4 * 2 ** 30) process.env['TMPDIR'] = memory;
}

/** The stories share a node, and a file may count on what no other has done yet: they are told in one order, whatever failed or was slow the last time. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return [...files].sort((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
  }
}

export default defineConfig({
  root: import.meta.dirname,
  cacheDir: join(import.meta.dirname, '../node_modules/.vite'),
  resolve: { alias: { $: join(import.meta.dirname, '../src') } },
  test: {
    include: ['*.story.ts'],
    globalSetup: ['./setup.ts'],
    fileParallelism: false,
    testTimeout: 600_000,
    expect: { poll: { timeout: 120_000, interval: 100 } }, // a busy machine draws late
    hookTimeout: 600_000,
    teardownTimeout: 180_000,
    sequence: { concurrent: false, sequencer: ByName },
  },
});
