import { jest } from '@jest/globals';
import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Counter } from './entities.js';
import { CLIENTS, incrementAll, type Level, round } from './race.js';
import { guardedSource, shorthand } from './support.js';

jest.setTimeout(60_000);

/** Clients of each round. */
const ROUNDS = [2, 10, CLIENTS, CLIENTS];
const TIMES = 2;
const POOL = { poolSize: CLIENTS + 2 };

describe.each(DATABASES)('16 clients and one counter on %s', (kind) => {
  // SQLite knows neither level, and its driver has one connection, on which transactions of several clients are one.
  const all: { name: string; level: Level }[] = [
    { name: 'save() alone', level: undefined },
    { name: 'READ COMMITTED', level: 'READ COMMITTED' },
    { name: 'REPEATABLE READ', level: 'REPEATABLE READ' },
  ];
  const levels = all.slice(0, kind === 'sqlite' ? 1 : 3);

  describe('guarded', () => {
    let source: CachedSource;
    const { repo, row } = shorthand(() => source);
    beforeAll(async () => {
      source = await guardedSource(kind, { entities: [Counter], extra: POOL });
    });
    afterAll(() => source.close());

    it.each(levels)('one wins each round and all others are told ($name)', async ({ level }) => {
      const { id } = await repo(Counter).save({ value: 0 });
      for (const [i, clients] of ROUNDS.entries()) {
        expect(await round(source.dataSource, id, level, clients)).toEqual({
          wins: 1,
          conflicts: clients - 1,
          others: [],
        });
        expect(await row(Counter, { id })).toMatchObject({ value: 1 + i, version: 2 + i });
      }
    });

    it.each(levels)('CC-034: with a retry, no increment is lost ($name)', async ({ level }) => {
      const { id } = await repo(Counter).save({ value: 0 });
      await incrementAll(source.dataSource, id, level, TIMES);
      expect(await row(Counter, { id })).toMatchObject({
        value: CLIENTS * TIMES,
        version: 1 + CLIENTS * TIMES,
      });
    });
  });

  describe('without the guard', () => {
    let source: CachedSource;
    const { repo, row } = shorthand(() => source);
    beforeAll(async () => {
      source = await guardedSource(kind, { entities: [Counter], extra: POOL, versioning: undefined });
    });
    afterAll(() => source.close());

    // PostgreSQL refuses the others itself above READ COMMITTED, so that there is nothing to lose.
    const lossy = levels.filter(({ level }) => !(kind === 'postgres' && level === 'REPEATABLE READ'));

    it.each(lossy)('all are let through, and all but one increment are lost ($name)', async ({ level }) => {
      const { id } = await repo(Counter).save({ value: 0 });
      expect(await round(source.dataSource, id, level)).toEqual({ wins: CLIENTS, conflicts: 0, others: [] });
      expect((await row(Counter, { id })).value).toBe(1);
    });

    it.each(lossy)('a retry hears of nothing, and increments are lost ($name)', async ({ level }) => {
      const { id } = await repo(Counter).save({ value: 0 });
      await incrementAll(source.dataSource, id, level, TIMES);
      expect((await row(Counter, { id })).value).toBeLessThanOrEqual(1 + CLIENTS * (TIMES - 1));
    });
  });
});
