import type { DataSource, EntityManager } from 'typeorm';
import { RecordModifiedError, retryOnConflict } from '../../lib/index.js';
import { Counter } from './entities.js';

export const CLIENTS = 16;

/** Lets go of all who wait as soon as there are `size` of them, again and again. */
export class Barrier {
  private waiting: (() => void)[] = [];

  constructor(private readonly size: number) {}

  arrive(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.waiting.length < this.size) return;
      const all = this.waiting;
      this.waiting = [];
      for (const go of all) go();
    });
  }
}

/** How a client works: inside a transaction of this level, or with a transaction only in `save()`. */
export type Level = 'READ COMMITTED' | 'REPEATABLE READ' | undefined;

const inside = <T>(
  dataSource: DataSource,
  level: Level,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> => (level ? dataSource.transaction(level, work) : work(dataSource.manager));

/** One round: all clients have read before the first one writes. Counts those who were let through and those refused. */
export async function round(
  dataSource: DataSource,
  id: number,
  level: Level,
  clients = CLIENTS,
): Promise<{ wins: number; conflicts: number; others: unknown[] }> {
  const barrier = new Barrier(clients);
  const client = (): Promise<void> =>
    inside(dataSource, level, async (manager) => {
      const counter = await manager.findOneByOrFail(Counter, { id });
      counter.value++;
      await barrier.arrive();
      await manager.save(counter);
    });
  const results = await Promise.allSettled(Array.from({ length: clients }, client));
  const reasons = results.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  const conflicts = reasons.filter((reason) => reason instanceof RecordModifiedError);
  return {
    wins: clients - reasons.length,
    conflicts: conflicts.length,
    others: reasons.filter((reason) => !(reason instanceof RecordModifiedError)),
  };
}

/**
 * Each client increments `times` times, and again what was refused. All have read before anybody writes, so that there
 * is something to lose.
 */
export async function incrementAll(
  dataSource: DataSource,
  id: number,
  level: Level,
  times: number,
): Promise<void> {
  const barrier = new Barrier(CLIENTS);
  const increment = (isFirst: boolean): Promise<void> =>
    retryOnConflict(
      (attempt) =>
        inside(dataSource, level, async (manager) => {
          const counter = await manager.findOneByOrFail(Counter, { id });
          counter.value++;
          if (isFirst && attempt === 1) await barrier.arrive();
          await manager.save(counter);
        }),
      // Whoever is refused was overtaken by an increment that is done: nobody is refused more often than there are.
      { attempts: CLIENTS * times, delay: '1ms', maxDelay: '20ms' },
    );
  const client = async (): Promise<void> => {
    for (let i = 0; i < times; i++) await increment(i === 0);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}
