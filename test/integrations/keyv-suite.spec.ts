import { keyvApiTests, keyvNamespaceTest, keyvValueTests } from '@keyv/test-suite';
import { Redis } from 'ioredis';
import { Keyv } from 'keyv';
import { CacheOpsModule, CacheOpsService } from '../../lib/index.js';
import { KeyvAdapter } from '../../lib/integrations/cache-manager.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { KeptLog, start, closeApps } from '../nest/app.js';

type Test = (context: { expect: typeof expect }) => unknown;

/** What the suite needs of its runner. */
const runner = {
  it: (name: string, test: Test) => it(name, () => test({ expect }) as Promise<void>),
  beforeEach,
  afterEach,
} as never;

describe.each(['memory', 'memory with a near cache', 'Redis', 'Redis with a near cache'])(
  "Keyv's own suite on %s",
  (backend) => {
    const prefix = uniquePrefix();
    let cacheOps: CacheOpsService;
    beforeAll(async () => {
      const app = await start({
        imports: [
          CacheOpsModule.forRoot({
            logger: new KeptLog(),
            near: backend.includes('near') && { mode: 'tracked' },
            ...(backend.startsWith('Redis') && { redis: redisUrl(), prefix }),
          }),
        ],
      });
      cacheOps = app.get(CacheOpsService);
    });
    afterAll(async () => {
      await closeApps();
      const client = new Redis(redisUrl());
      await dropPrefix(client, prefix);
      client.disconnect();
    });

    const store = () => new KeyvAdapter(cacheOps);
    describe('calls', () => keyvApiTests(runner, Keyv, store));
    describe('values', () => keyvValueTests(runner, Keyv, store));
    describe('namespaces', () => keyvNamespaceTest(runner, Keyv, store));
  },
);
