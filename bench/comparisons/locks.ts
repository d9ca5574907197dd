import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case, Comparison, ComparisonFactory } from '../comparison.js';
import {
  bareLine,
  bareLock,
  type Contender,
  lockScripts,
  lockService,
  redisSemaphore,
  redlock,
} from '../contenders.js';
import { countsOf } from '../counters.js';
import { ownRedis } from '../world.js';

const NAMES = 200;
const WAITERS = 32;
const SECTION_MS = 2;
/** Times that all waiters come at once, for one sample. */
const DRAINS = 3;

type Open = (url: string) => Promise<Contender>;
const RIVALS: readonly Open[] = [redlock, redisSemaphore];

async function comparison(
  title: string,
  own: readonly [bare: Open, ...ours: Open[]],
  caseOf: (contender: Contender) => Case,
  rest: (names: {
    readonly bare: string;
    readonly rivals: readonly string[];
  }) => Pick<Comparison, 'concurrency' | 'targets'> & Partial<Comparison>,
): Promise<Comparison> {
  const redis = await ownRedis();
  const contenders = await Promise.all([...own, ...RIVALS].map((open) => open(redis.url.href)));
  const names = contenders.map(({ name }) => name);
  return {
    title,
    cases: contenders.map(caseOf),
    ...rest({ bare: names[0] as string, rivals: names.slice(own.length) }),
    close: async () => {
      for (const contender of contenders) await contender.close();
      await redis.close();
    },
  };
}

const UNCONTENDED = 'Lock and release of a free name (Redis)';
const uncontended: ComparisonFactory = {
  title: UNCONTENDED,
  create: () =>
    comparison(
      UNCONTENDED,
      [bareLock, lockService, lockScripts],
      ({ name, commands, acquire }) => ({
        name,
        run: async (turn) => (await acquire(String(turn % NAMES)))(),
        counts: countsOf({ commands }),
        ...(name === 'LockService' && { expects: { commands: 2 } }),
      }),
      ({ rivals }) => ({
        concurrency: [1, 64],
        targets: [1, 64].flatMap((concurrency) => [
          { name: 'LockService', concurrency, speed: 0.8 },
          ...rivals.map((than) => ({ name: 'LockService', than, concurrency, speed: 1 })),
        ]),
      }),
    ),
};

/**
 * Many ask for one name at the same moment; each has it for a short while.
 * @returns milliseconds from each release to the next grant
 */
async function drain({ name, acquire }: Contender, key: string): Promise<number[]> {
  const times: number[] = [];
  const served: number[] = [];
  let releasedAt: number | undefined;
  const wait = async (waiter: number): Promise<void> => {
    const release = await acquire(key);
    if (releasedAt !== undefined) times.push(performance.now() - releasedAt);
    served.push(waiter);
    await sleep(SECTION_MS);
    releasedAt = performance.now();
    await release();
  };
  await Promise.all(Array.from({ length: WAITERS }, (_, waiter) => wait(waiter)));
  if (name === 'LockService')
    assert.deepEqual(
      served,
      [...served].sort((a, b) => a - b),
      'out of order',
    );
  return times;
}

const HAND_OVER = `Hand-over of a lock that ${WAITERS} wait for (Redis)`;
const handOver: ComparisonFactory = {
  title: HAND_OVER,
  create: () =>
    comparison(
      HAND_OVER,
      [bareLine, lockService],
      (contender) => ({
        name: contender.name,
        counts: countsOf(contender),
        sample: async (turn) => {
          const times: number[] = [];
          for (let i = 0; i < DRAINS; i++) times.push(...(await drain(contender, `drain${turn}`)));
          return times;
        },
      }),
      ({ bare, rivals }) => ({
        concurrency: [1],
        targets: ['LockService', 'LockService, p99'].flatMap((name) => [
          { name, than: bare, concurrency: 1, cost: 1.5 },
          ...rivals.map((than) => ({ name, than, concurrency: 1, cost: 1 })),
        ]),
      }),
    ),
};

export const locks: readonly ComparisonFactory[] = [uncontended, handOver];
