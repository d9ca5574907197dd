import type { DataSource, EntityManager } from 'typeorm';
import { CacheOpsError } from '../../../lib/cacheops.errors.js';
import type { CacheOpsService } from '../../../lib/index.js';
import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';
import type { Random } from '../../differential/random.js';
import { History, Item } from './entities.js';
import { type Ack, ITEMS, SHELVES } from './protocol.js';

class RolledBack extends Error {}

/** One statement that does it all, and of which only the tables are known. */
const RAW = `
WITH changed AS (UPDATE item SET version = version + 1 WHERE id = $1 RETURNING id, version, shelf)
INSERT INTO history (item, version, shelf, begun) SELECT id, version, shelf, $2 FROM changed RETURNING version`;

/** Makes new versions, in the ways in which applications write. */
export class Writer {
  private degraded = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly service: CacheOpsService,
    private readonly random: Random,
    private readonly silent: boolean,
  ) {
    service.events$.subscribe((event) => {
      if (event.type === 'error' && ['pend', 'settle'].includes(event.operation)) this.degraded = true;
    });
  }

  /** @returns the version that was committed; `undefined`: it was rolled back */
  async write(): Promise<Omit<Ack, 'by'> | 'refused' | undefined> {
    const item = this.random.below(ITEMS);
    const work = (): Promise<number> =>
      this.random.chance(0.15)
        ? this.raw(item)
        : this.dataSource.transaction((manager) => this.change(item, manager));
    this.degraded = false;
    try {
      const version = await (this.silent ? this.service.withoutInvalidation(work) : work());
      return { item, version, at: hostTime(), degraded: this.degraded };
    } catch (error) {
      if (error instanceof RolledBack) return undefined;
      if (error instanceof CacheOpsError) return 'refused';
      throw error;
    }
  }

  private async change(id: number, manager: EntityManager): Promise<number> {
    const item = await manager.findOneOrFail(Item, { where: { id }, lock: { mode: 'pessimistic_write' } });
    item.version++;
    if (this.random.chance(0.3)) item.shelf = this.random.below(SHELVES);
    const { version, shelf } = item;
    const way = this.random.below(3);
    if (way === 0) await manager.save(item);
    else if (way === 1) await manager.update(Item, { id }, { version, shelf });
    // A savepoint.
    else await manager.transaction((inner) => inner.save(item));
    if (this.random.chance(0.1)) throw new RolledBack();
    await manager.insert(History, { item: id, version, shelf, begun: hostTime() });
    return version;
  }

  private async raw(id: number): Promise<number> {
    const [row] = await this.dataSource.query<[{ version: number }]>(RAW, [id, hostTime()]);
    return row.version;
  }
}
