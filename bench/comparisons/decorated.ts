import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cached, CachedAs, CacheOpsModule, CacheOpsService } from '../../lib/index.js';
import type { Comparison, ComparisonFactory, Counts } from '../comparison.js';
import { startRedis } from '../own-redis.mjs';

const TITLE = 'Near hit of a function (tracked, 100 keys)';
const KEYS = 100;

interface Answer {
  readonly id: number;
  readonly title: string;
}

const answer = (id: number): Answer => ({ id, title: `Article ${id}` });

@Injectable()
class Shop {
  @CachedAs({ tags: ['shop'] })
  tagged(id: number): Promise<Answer> {
    return Promise.resolve(answer(id));
  }

  @Cached()
  timed(id: number): Promise<Answer> {
    return Promise.resolve(answer(id));
  }
}

async function create(): Promise<Comparison> {
  const redis = await startRedis();
  const cache = CacheOpsModule.forRoot({ redis: redis.url, prefix: 'bench:', near: {} });
  const app = await NestFactory.createApplicationContext(
    { module: class Root {}, imports: [cache], providers: [Shop] },
    { logger: false },
  );
  const [shop, cacheOps] = [app.get(Shop), app.get(CacheOpsService)];
  const wrapped = cacheOps.wrap(answer, { tags: ['shop'] });
  const counts = (): Counts => {
    const { hits, misses } = cacheOps.stats();
    return { hits, misses, statements: 0, commands: 0 };
  };
  const id = (turn: number): number => turn % KEYS;
  const expects = { hits: 1, misses: 0 };
  const cases = [
    {
      name: 'getOrSet',
      run: (turn: number) => cacheOps.getOrSet(`a${id(turn)}`, () => answer(id(turn)), { tags: ['shop'] }),
    },
    { name: 'wrap', run: (turn: number) => wrapped(id(turn)) },
    { name: '@CachedAs method', run: (turn: number) => shop.tagged(id(turn)) },
    { name: '@Cached method', run: (turn: number) => shop.timed(id(turn)) },
  ].map((each) => ({ ...each, counts, expects }));
  for (const { run } of cases) for (let turn = 0; turn < KEYS * 2; turn++) await run(turn);
  return {
    title: TITLE,
    concurrency: [1, 64],
    cases,
    targets: [],
    close: async () => {
      await app.close();
      await redis.stop();
    },
  };
}

export const decorated: ComparisonFactory = { title: TITLE, create };
