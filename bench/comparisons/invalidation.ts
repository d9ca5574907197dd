import { strict as assert } from 'node:assert';
import { encodeEntry, isFresh } from '../../lib/core/entry.js';
import type { Stamp } from '../../lib/core/stamp.js';
import { rowsToken, tableToken, EVERYTHING, shapeText, type Token } from '../../lib/core/token.js';
import { entryKey, stampKey } from '../../lib/drivers/redis.script-parts.js';
import type { Changes } from '../../lib/invalidation/transaction-frames.js';
import { cacheServices } from '../../test/support/cached-data-source.js';
import type { Case, Comparison, ComparisonFactory } from '../comparison.js';
import { countsOf } from '../counters.js';
import { ownRedis, type OwnRedis } from '../world.js';

const TABLE = 'item';
const ANY_ROW = { columns: [], reads: '*' } as const;
const TOKENS: readonly Token[] = [EVERYTHING, tableToken(TABLE), rowsToken(TABLE, ANY_ROW, [])];
const CHANGES: Changes = {
  effects: [{ table: TABLE, columns: '*', images: [new Map([['id', '1']])] }],
  tokens: new Set(),
};
const HOUR = 3_600_000;
const PAYLOAD = Buffer.alloc(32, 'p');
const PER_COMMAND = 2_000;

interface Population {
  readonly subject: Case;
  check(): Promise<void>;
  close(): Promise<void>;
}

/** A server with so many entries that all depend on any row of the table, and a writer of that table. */
async function population(size: number): Promise<Population> {
  const redis = await ownRedis();
  const driver = await redis.driver();
  const services = await cacheServices({ driver });
  const { invalidator, instrumentation } = services;
  const pinned = await driver.pin({
    tokens: TOKENS,
    shapes: [{ table: TABLE, shape: shapeText(ANY_ROW) }],
    ttl: HOUR,
  });
  const stamps = pinned as readonly Stamp[];
  await fill(redis, size, stamps);
  // Gives the stamps back, which makes every entry fresh again: so each invalidation kills all of them anew.
  const revive = (): Promise<unknown> =>
    redis.client.mset(...TOKENS.flatMap((token, i) => [`bench:${stampKey(token)}`, stamps[i] as string]));
  const fresh = async (): Promise<boolean> => {
    const { entry, states } = await driver.read(String(size - 1), TOKENS);
    return entry !== undefined && isFresh(entry, states);
  };
  const invalidate = async (): Promise<void> => {
    await invalidator.settle(await invalidator.pend(CHANGES));
    await invalidator.drain();
  };
  await invalidate();
  let prepared = 0;
  const counts = countsOf({ instrumentation, commands: redis.commands });
  return {
    subject: {
      name: `${size.toLocaleString('en')} ${size === 1 ? 'entry' : 'entries'}`,
      prepare: () => {
        prepared++;
        return revive();
      },
      run: invalidate,
      counts: () => ({ ...counts(), commands: redis.commands.count - prepared }),
      expects: { commands: 2 },
    },
    check: async () => {
      await revive();
      assert.equal(await fresh(), true, 'fresh before');
      await invalidate();
      assert.equal(await fresh(), false, 'not fresh after');
    },
    close: async () => {
      await driver.close();
      await redis.close();
    },
  };
}

async function fill({ client }: OwnRedis, size: number, stamps: readonly Stamp[]): Promise<void> {
  const entry = encodeEntry(PAYLOAD, stamps, { createdAt: Date.now(), life: HOUR, hasGrace: false, cost: 1 });
  for (let from = 0; from < size; from += PER_COMMAND) {
    const pairs: (string | Buffer)[] = [];
    for (let i = from; i < Math.min(size, from + PER_COMMAND); i++)
      pairs.push(`bench:${entryKey(String(i))}`, entry);
    await client.mset(...pairs);
  }
  assert.ok((await client.dbsize()) > size, 'the entries are there');
}

async function create(smoke: boolean): Promise<Comparison> {
  const sizes = smoke ? [1, 100, 1_000] : [1, 1_000, 1_000_000];
  const populations: Population[] = [];
  for (const size of sizes) populations.push(await population(size));
  const names = populations.map(({ subject }) => subject.name);
  return {
    title: TITLE,
    concurrency: [1],
    cases: populations.map(({ subject }) => subject),
    targets: names.slice(1).map((name) => ({ name, concurrency: 1, cost: 1.2 })),
    check: async () => {
      for (const each of populations) await each.check();
    },
    close: async () => {
      for (const each of populations) await each.close();
    },
  };
}

const TITLE = 'Invalidation of a commit (pend and settle) by entries that it kills (Redis)';
export const invalidation: ComparisonFactory = { title: TITLE, create };
