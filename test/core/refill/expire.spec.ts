import { CacheContext } from '../../../lib/core/cache-context.js';
import { Instrumentation } from '../../../lib/core/instrumentation.js';
import { HARD_LENGTH } from '../../../lib/core/stamp.js';
import { EVERYTHING, rowsToken, shapeText, tableToken, tagToken } from '../../../lib/core/token.js';
import { MemoryDriver } from '../../../lib/drivers/memory.driver.js';
import { Invalidator } from '../../../lib/invalidation/invalidator.js';
import type { Changes } from '../../../lib/invalidation/transaction-frames.js';
import { ChaosDriver } from '../../../lib/testing/chaos.driver.js';

const TABLE = 'item';
const BY_ID = { columns: ['id'], reads: '*' } as const;
const BY_NAME = { columns: ['name'], reads: '*' } as const;
const ROW = rowsToken(TABLE, BY_ID, ['1']);
const OTHER_ROW = rowsToken(TABLE, BY_ID, ['2']);
const NAMED = rowsToken(TABLE, BY_NAME, ['x']);
const TOKENS = [EVERYTHING, tableToken(TABLE), ROW, OTHER_ROW, NAMED, tagToken('t')];
const CHANGES: Changes = {
  effects: [
    {
      table: TABLE,
      columns: '*',
      images: [
        new Map([
          ['id', '1'],
          ['name', 'x'],
        ]),
      ],
    },
  ],
  tokens: new Set([tagToken('t')]),
};

let driver: ChaosDriver;
let context: CacheContext;
let before: readonly (string | undefined)[];

function invalidator(onRedisFailure: 'degrade' | 'fail' = 'degrade'): Invalidator {
  return new Invalidator(driver, context, new Instrumentation(), { pendTtl: 30_000, onRedisFailure });
}

const pin = (shape: Parameters<typeof shapeText>[0]) =>
  driver.pin({ tokens: TOKENS, shapes: [{ table: TABLE, shape: shapeText(shape) }], ttl: 60_000 });

/** What has become of each token. */
async function fates(): Promise<string[]> {
  return (await driver.states(TOKENS)).map((state, i) => {
    if (state === undefined) return 'gone';
    if (state === before[i]) return 'same';
    return state.slice(0, HARD_LENGTH) === before[i]?.slice(0, HARD_LENGTH) ? 'expired' : 'new';
  });
}

beforeEach(async () => {
  driver = new ChaosDriver(new MemoryDriver());
  context = new CacheContext();
  before = await pin(BY_ID);
});
afterEach(() => context.dispose());

it('expires the rows by the shapes that readers use, and tags', async () => {
  await invalidator().expire(CHANGES);
  expect(await fates()).toEqual(['same', 'same', 'expired', 'same', 'same', 'expired']);
});

it('reaches a shape that a reader registers between the look at the registry and the expiry', async () => {
  const writer = invalidator();
  await writer.expire({ effects: [], tokens: new Set([tagToken('u')]) });
  await writer.registries.load([TABLE]);
  before = await pin(BY_NAME);
  await writer.expire(CHANGES);
  expect(await fates()).toEqual(['same', 'same', 'expired', 'same', 'expired', 'expired']);
});

it.each([
  ['expire', 2],
  ['registries', 1],
] as const)('invalidates the tables when %s fails', async (method, times) => {
  driver.fail(method, times);
  await invalidator().expire(CHANGES);
  expect(await fates()).toEqual(['same', 'gone', 'same', 'same', 'same', 'gone']);
});

it('is refused when nothing can be told and onRedisFailure is fail', async () => {
  driver.fail('expire');
  driver.fail('restamp');
  await expect(invalidator('fail').expire(CHANGES)).rejects.toMatchObject({ code: 'INVALIDATION' });
});

it('does nothing inside withoutInvalidation, nor for nothing', async () => {
  await context.withoutInvalidation(() => invalidator().expire(CHANGES));
  await invalidator().expire({ effects: [], tokens: new Set() });
  expect(driver.calls.expire).toBe(0);
});
