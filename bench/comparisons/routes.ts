import { strict as assert } from 'node:assert';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Case, Comparison, ComparisonFactory, Target } from '../comparison.js';
import { ROWS_PER_GROUP } from '../entities.js';
import { HttpClient } from '../http-client.js';
import type { HttpWay } from '../http-ways.js';
import { startRedis } from '../own-redis.mjs';

type Platform = 'Express' | 'Fastify';

const NAMES: Readonly<Record<HttpWay, string>> = {
  constant: 'constant string of the same bytes',
  object: 'constant list of entities',
  near: '@CachedAs, near hit',
  shared: '@CachedAs, hit in Redis',
  'theirs in memory': "Nest's CacheInterceptor, memory",
  'theirs in Redis': "Nest's CacheInterceptor, Redis",
};
const CONCURRENCY = [1, 32];

const targets = (platform: Platform): readonly Target[] =>
  CONCURRENCY.flatMap((concurrency): Target[] => [
    { name: NAMES.near, concurrency, speed: 0.9 },
    {
      name: NAMES.near,
      than: NAMES['theirs in memory'],
      concurrency,
      speed: platform === 'Express' ? 2 : 5,
    },
    { name: NAMES.shared, than: NAMES['theirs in Redis'], concurrency, speed: 1 },
  ]);

async function create(platform: Platform): Promise<Comparison> {
  const redis = await startRedis();
  const child = fork(
    fileURLToPath(new URL('../http-apps.ts', import.meta.url)),
    [platform.toLowerCase(), redis.url],
    {
      execArgv: ['--disable-warning=ExperimentalWarning', '--import', './tools/typescript.mjs'],
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    },
  );
  const ports = await portsOf(child);
  const clients = Object.fromEntries(
    Object.entries(ports).map(([way, port]) => [way, new HttpClient(port)]),
  ) as Record<HttpWay, HttpClient>;
  // Fills what is to be hit.
  for (const client of Object.values(clients)) for (let i = 0; i < 3; i++) await client.get();
  return {
    title: titleOf(platform),
    concurrency: CONCURRENCY,
    cases: (Object.keys(NAMES) as HttpWay[]).map((way): Case => ({
      name: NAMES[way],
      run: () => clients[way].get(),
    })),
    targets: targets(platform),
    check: () => sameBytes(clients),
    close: async () => {
      for (const client of Object.values(clients)) client.close();
      const exit = once(child, 'exit');
      child.disconnect();
      await exit;
      await redis.stop();
    },
  };
}

async function portsOf(child: ChildProcess): Promise<Record<string, number>> {
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the applications ended with ${String(code)}`);
  });
  const [ports] = (await Promise.race([once(child, 'message'), failed])) as [Record<string, number>];
  failed.catch(() => undefined);
  return ports;
}

async function sameBytes(clients: Record<HttpWay, HttpClient>): Promise<void> {
  const expected = await clients.constant.get();
  assert.equal((JSON.parse(expected.body.toString()) as unknown[]).length, ROWS_PER_GROUP);
  for (const [way, client] of Object.entries(clients)) {
    const { head, body } = await client.get();
    assert.ok(body.equals(expected.body), `${way} answers ${body.length} bytes that are not the others'`);
    if (way === 'near' || way === 'shared')
      assert.match(head, new RegExp(`x-cacheops: ${way === 'near' ? 'near' : 'hit'}`, 'i'));
  }
}

const titleOf = (platform: Platform): string => `GET route of ${ROWS_PER_GROUP} entities (${platform})`;

export const routes: readonly ComparisonFactory[] = (['Express', 'Fastify'] as const).map((platform) => ({
  title: titleOf(platform),
  create: () => create(platform),
}));
