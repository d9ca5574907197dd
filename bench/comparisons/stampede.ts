import { strict as assert } from 'node:assert';
import { dependenciesOf } from '../../lib/core/dependencies.js';
import type { Lookup } from '../../lib/core/lookup.js';
import { createSerializer } from '../../lib/core/serializer.js';
import { cacheServices } from '../../test/support/cached-data-source.js';
import type { Case, Comparison, ComparisonFactory } from '../comparison.js';
import { ownRedis } from '../world.js';

const CALLERS = 100;
/** Milliseconds that the source takes. */
const LOAD_MS = 5;

const ALONE = 'one caller';
const TOGETHER = `${CALLERS} callers`;
const LOCKED = `${CALLERS} callers, lock: true`;

async function create(): Promise<Comparison> {
  const redis = await ownRedis();
  const driver = await redis.driver();
  const { cache } = await cacheServices({ driver });
  const { encode, decode } = createSerializer();
  let loads = 0;
  let keys = 0;
  const lookup = (key: string, lock: boolean): Lookup<unknown> => ({
    key,
    label: 'report',
    dependencies: dependenciesOf([{ table: 'item', reads: '*', conditions: [new Map([['id', '1']])] }]),
    ttl: 3_600_000,
    codec: { encode, decode },
    refill: { grace: 0, softTimeout: 0, lock, jitter: 0, beta: 0 },
    load: async () => {
      loads++;
      await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
      return { total: 1 };
    },
  });
  const miss = async (callers: number, lock: boolean): Promise<void> => {
    const asked = lookup(`report:${keys++}`, lock);
    await Promise.all(Array.from({ length: callers }, () => cache.getOrSet(asked)));
  };
  const cases: Case[] = [
    { name: ALONE, run: () => miss(1, false) },
    { name: TOGETHER, run: () => miss(CALLERS, false) },
    { name: LOCKED, run: () => miss(CALLERS, true) },
  ];
  return {
    title: TITLE,
    concurrency: [1],
    cases,
    targets: [],
    check: async () => {
      for (const { run } of cases) {
        const before = loads;
        await run?.(0);
        assert.equal(loads - before, 1, 'one load');
      }
    },
    close: async () => {
      await driver.close();
      await redis.close();
    },
  };
}

const TITLE = `Stampede: all miss one key at once, whose load takes ${LOAD_MS} ms (Redis)`;
export const stampede: ComparisonFactory = { title: TITLE, create };
