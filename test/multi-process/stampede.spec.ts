import { Redis } from 'ioredis';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { Worker } from './worker.js';

const FILE = new URL('./stampede.worker.ts', import.meta.url);
const PROCESSES = 4;
const CALLERS = 250;

let prefix: string;
let workers: Worker[];

beforeEach(async () => {
  prefix = uniquePrefix();
  workers = Array.from({ length: PROCESSES }, () => Worker.start(FILE, [redisUrl(), prefix]));
  await Promise.all(workers.map((worker) => worker.next('ready')));
}, 60_000);
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
  const client = new Redis(redisUrl());
  await dropPrefix(client, prefix);
  client.disconnect();
});

/** Resolves with the process that loads, when all have asked for the lease; and the loads of the others to come. */
async function stampede(): Promise<{ loading: Worker; loads: ReadonlyMap<Worker, Promise<Worker>> }> {
  for (const worker of workers) worker.send('miss', { callers: CALLERS });
  const loads = new Map(
    workers.map((worker) => [worker, worker.next('loading').then(() => worker)] as const),
  );
  const first = Promise.race(loads.values());
  await Promise.all(workers.map((worker) => worker.next('asked')));
  return { loading: await first, loads };
}

const served = (among: readonly Worker[]): Promise<number[]> =>
  Promise.all(among.map((worker) => worker.next<{ by: number[] }>('served'))).then((replies) => [
    ...new Set(replies.flatMap(({ by }) => by)),
  ]);

it('1,000 misses of one key in 4 processes run its load once', async () => {
  const { loading } = await stampede();
  for (const worker of workers) worker.send('release');
  expect(await served(workers)).toEqual([loading.process.pid]);
}, 60_000);

it('once more when the process that loads is killed', async () => {
  const { loading: killed, loads } = await stampede();
  const left = workers.filter((worker) => worker !== killed);
  await killed.kill();
  const loading = await Promise.race(left.map((worker) => loads.get(worker) as Promise<Worker>));
  for (const worker of left) worker.send('release');
  expect(await served(left)).toEqual([loading.process.pid]);
}, 60_000);
