import { DataSource, type DataSourceOptions } from 'typeorm';
import { outboxEntity } from '../../lib/typeorm/index.js';
import { createDatabase } from '../support/databases.js';
import type { Death } from '../soak/stale/protocol.js';
import type { ApplicationConfig } from './application.worker.js';
import { ArticleOfNextRelease } from './entities.js';
import { Worker } from './worker.js';

const FILE = new URL('./application.worker.ts', import.meta.url);

/** Another process with the module, and a table that it shares with others. */
export class Application {
  private constructor(readonly worker: Worker) {}

  static async start(config: ApplicationConfig): Promise<Application> {
    const worker = Worker.start(FILE, [JSON.stringify(config)]);
    await worker.next('ready');
    return new Application(worker);
  }

  /** @returns what was read, and how many hits there were by then */
  read(): Promise<{ row: object; hits: number }> {
    this.worker.send('read');
    return this.worker.next('row');
  }

  async write(set: object): Promise<void> {
    this.worker.send('write', { set });
    await this.worker.next('written');
  }

  /** Has it killed by its next write, between two steps. @returns when it is dead */
  async dieWriting(set: object, at: Death): Promise<void> {
    this.worker.send('die', { at });
    await this.worker.next('armed');
    const gone = this.worker.next('never').catch(() => undefined);
    this.worker.send('write', { set });
    await gone;
  }

  invalidated(): Promise<object> {
    return this.worker.next('invalidated');
  }
}

/** A table with one article in it, and an outbox. */
export async function articleDatabase(): Promise<{ options: DataSourceOptions; drop(): Promise<void> }> {
  const { options, drop } = await createDatabase('postgres');
  const entities = [ArticleOfNextRelease, outboxEntity()];
  const dataSource = await new DataSource({ ...options, entities, synchronize: true }).initialize();
  await dataSource.getRepository(ArticleOfNextRelease).insert({ id: 1, title: 'old' });
  await dataSource.destroy();
  return { options, drop };
}
