import type { ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { CacheOpsLogger } from '../../lib/index.js';
import { ENTITIES } from './entities.js';

/** A logger that keeps what it is told. */
export class KeptLog implements CacheOpsLogger {
  readonly lines: string[] = [];
  log = (message: string): void => void this.lines.push(`log: ${message}`);
  warn = (message: string): void => void this.lines.push(`warn: ${message}`);
  error = (message: string): void => void this.lines.push(`error: ${message}`);

  get warnings(): string[] {
    return this.lines.filter((line) => line.startsWith('warn'));
  }
}

/** SQLite in memory, one for each name. */
export const sqlite = (name?: string, extra: object = {}) =>
  TypeOrmModule.forRoot({
    type: 'sqljs',
    entities: ENTITIES,
    synchronize: true,
    retryAttempts: 0,
    ...(name ? { name } : {}),
    ...extra,
  });

const apps: TestingModule[] = [];

/** An application that has started; `closeApps` belongs in `afterEach`. */
export async function start(metadata: ModuleMetadata): Promise<TestingModule> {
  const app = await Test.createTestingModule(metadata).compile();
  apps.push(app);
  return app.init();
}

export async function closeApps(): Promise<void> {
  for (const app of apps.splice(0)) await app.close();
}
