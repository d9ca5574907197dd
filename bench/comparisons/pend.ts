import { strict as assert } from 'node:assert';
import { rowsToken, type Token } from '../../lib/core/token.js';
import type { Case, Comparison, ComparisonFactory } from '../comparison.js';
import { countsOf } from '../counters.js';
import { ownRedis } from '../world.js';

const TOKENS = [1, 10, 100] as const;
const BARE = 'PING';
const TABLE = 'item';

const tokens = (count: number): Token[] =>
  Array.from({ length: count }, (_, i) => rowsToken(TABLE, { columns: ['id'], reads: '*' }, [String(i)]));

/** What a commit waits for: the settle is sent after it, and not measured here. */
async function create(): Promise<Comparison> {
  const redis = await ownRedis();
  const driver = await redis.driver();
  let settles = 0;
  const counts = countsOf({ commands: redis.commands });
  const pend = (count: number): Case => {
    const request = { writer: `w${count}`, tokens: tokens(count), registries: new Map<string, string>() };
    return {
      name: `pend of ${count} ${count === 1 ? 'token' : 'tokens'}`,
      prepare: () => {
        settles++;
        return driver.settle({ ...request, tables: [] });
      },
      run: () => driver.pend({ ...request, ttl: 30_000 }),
      counts: () => ({ ...counts(), commands: redis.commands.count - settles }),
      expects: { commands: 1 },
    };
  };
  const cases: Case[] = [
    { name: BARE, run: () => redis.client.ping(), counts, expects: { commands: 1 } },
    ...TOKENS.map(pend),
  ];
  return {
    title: TITLE,
    concurrency: [1],
    cases,
    targets: [],
    check: async () => {
      await cases[1]?.run?.(0);
      assert.deepEqual(await driver.states(tokens(1)), ['pending']);
    },
    close: async () => {
      await driver.close();
      await redis.close();
    },
  };
}

const TITLE = 'Pend: what a commit waits for (Redis)';
export const pend: ComparisonFactory = { title: TITLE, create };
