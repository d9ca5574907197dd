import { Redis } from 'ioredis';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { Application, articleDatabase } from './application.js';

let database: Awaited<ReturnType<typeof articleDatabase>>;
let prefix: string;
const applications: Application[] = [];

beforeEach(async () => {
  prefix = uniquePrefix();
  database = await articleDatabase();
});
afterEach(async () => {
  await Promise.all(applications.splice(0).map(({ worker }) => worker.kill()));
  await database.drop();
  const client = new Redis(redisUrl());
  await dropPrefix(client, prefix);
  client.disconnect();
});

async function start(release: 'old' | 'next'): Promise<Application> {
  const cacheOps = {
    redis: redisUrl(),
    prefix,
    timeouts: { read: '20s', write: '20s', invalidation: '20s' },
  };
  const application = await Application.start({ database: database.options, release, cacheOps });
  applications.push(application);
  return application;
}

it('two releases that know different columns share no entry, and a write by either invalidates both', async () => {
  const [old, next] = await Promise.all([start('old'), start('next')]);
  const both = async () => [(await old.read()).row, (await next.read()).row];
  const first = { id: 1, title: 'old' };
  // The second process finds the entry of the first, and must not take it.
  expect(await both()).toEqual([first, { ...first, summary: 'none' }]);
  expect(await both()).toEqual([first, { ...first, summary: 'none' }]);
  expect([(await old.read()).hits, (await next.read()).hits]).toEqual([2, 2]);
  await old.write({ title: 'by the old' });
  expect(await both()).toEqual([
    { id: 1, title: 'by the old' },
    { id: 1, title: 'by the old', summary: 'none' },
  ]);
  await next.write({ title: 'by the next', summary: 'some' });
  expect(await both()).toEqual([
    { id: 1, title: 'by the next' },
    { id: 1, title: 'by the next', summary: 'some' },
  ]);
}, 60_000);
