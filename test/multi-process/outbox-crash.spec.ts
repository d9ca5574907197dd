import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { outboxTriggers } from '../../lib/typeorm/index.js';
import { FaultyProxy } from '../drivers/faulty-proxy.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { Application, articleDatabase } from './application.js';
import { Article } from './entities.js';

/* What a process that is gone, or that never was one of ours, has changed, another process tells the cache. */

let database: Awaited<ReturnType<typeof articleDatabase>>;
let prefix: string;
let proxy: FaultyProxy;
const applications: Application[] = [];

beforeEach(async () => {
  prefix = uniquePrefix();
  database = await articleDatabase();
  const { hostname, port } = new URL(redisUrl());
  proxy = new FaultyProxy({ host: hostname, port: Number(port) });
  await proxy.listen();
});
afterEach(async () => {
  await Promise.all(applications.splice(0).map(({ worker }) => worker.kill()));
  await proxy.refuse();
  await database.drop();
  const client = new Redis(redisUrl());
  await dropPrefix(client, prefix);
  client.disconnect();
});

async function start(redis: string): Promise<Application> {
  const cacheOps = { redis, prefix, outbox: { interval: '100ms' } };
  const application = await Application.start({ database: database.options, release: 'old', cacheOps });
  applications.push(application);
  return application;
}

const titled = (title: string): object => ({ id: 1, title });
const viaProxy = (): string => `redis://127.0.0.1:${proxy.port}`;

async function waiting(): Promise<number> {
  const rows = await outside<object[]>('SELECT id FROM cacheops_outbox');
  return rows.length;
}

/** As somebody does who is none of ours. */
async function outside<T>(...statements: readonly string[]): Promise<T> {
  const dataSource = await new DataSource(database.options).initialize();
  let result: unknown;
  for (const statement of statements) result = await dataSource.query(statement);
  await dataSource.destroy();
  return result as T;
}

it('a writer that cannot reach Redis, commits and is killed: the relay of another process makes it good', async () => {
  const [reader, writer] = await Promise.all([start(redisUrl()), start(viaProxy())]);
  expect((await reader.read()).row).toEqual(titled('old'));
  await proxy.refuse();
  await writer.write({ title: 'new' });
  await writer.worker.kill();
  // This is the bound: until the row is five seconds old, and has been found.
  expect(await waiting()).toBe(1);
  await reader.invalidated();
  expect((await reader.read()).row).toEqual(titled('new'));
}, 60_000);

it('a writer that is killed between its commit and its settle', async () => {
  const [reader, writer] = await Promise.all([start(redisUrl()), start(redisUrl())]);
  expect((await reader.read()).row).toEqual(titled('old'));
  await writer.dieWriting({ title: 'new' }, 'committed');
  // Its marks are still there.
  expect((await reader.read()).row).toEqual(titled('new'));
  expect(await waiting()).toBe(1);
  await reader.invalidated();
  expect((await reader.read()).row).toEqual(titled('new'));
}, 60_000);

it('somebody without this package, whom the triggers tell of', async () => {
  const dataSource = await new DataSource({ ...database.options, entities: [Article] }).initialize();
  for (const statement of outboxTriggers(dataSource).up) await dataSource.query(statement);
  await dataSource.destroy();
  const reader = await start(redisUrl());
  expect((await reader.read()).row).toEqual(titled('old'));
  await outside(`UPDATE article SET title = 'theirs'`);
  await reader.invalidated();
  expect((await reader.read()).row).toEqual(titled('theirs'));
}, 60_000);
