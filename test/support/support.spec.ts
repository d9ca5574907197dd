import { spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { createDatabase, DATABASES } from './databases.js';
import { dropPrefix, redisUrl, uniquePrefix } from './redis.js';
import { isStale, ownedName } from './servers/owner.mjs';

describe('owned names', () => {
  it('are unique, fit in an identifier, and are not stale while their process lives', () => {
    const name = ownedName();
    expect(ownedName()).not.toBe(name);
    expect(name.length).toBeLessThanOrEqual(63);
    expect(isStale(name)).toBe(false);
  });

  it('are stale once their process is gone', () => {
    const script = `import { ownedName } from '${new URL('./servers/owner.mjs', import.meta.url).href}';
      process.stdout.write(ownedName());`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/^cacheops_/);
    expect(isStale(stdout)).toBe(true);
  });

  it('never claim what is not ours', () => {
    const [, host, pid, start] = ownedName().split('_') as [string, string, string, string];
    const otherHost = host === '000000' ? '111111' : '000000';
    expect(isStale(`cacheops_${otherHost}_${pid}_0_0123456789`)).toBe(false);
    expect(isStale(`cacheops_${host}_${pid}_${start}x_0123456789`)).toBe(true);
    expect(isStale('cacheops_production')).toBe(false);
    expect(isStale('shop')).toBe(false);
  });
});

describe.each(DATABASES)('a %s test database', (kind) => {
  it('is empty, apart from the next one, and is dropped while in use', async () => {
    const [one, two] = [await createDatabase(kind), await createDatabase(kind)];
    const first = await new DataSource(one.options).initialize();
    const second = await new DataSource(two.options).initialize();
    await first.query('CREATE TABLE thing (id int)');
    await expect(first.query('SELECT id FROM thing')).resolves.toEqual([]);
    await expect(second.query('SELECT id FROM thing')).rejects.toThrow();
    await first.destroy();
    await one.drop();
    await two.drop();
    if (kind !== 'sqlite') await expect(new DataSource(two.options).initialize()).rejects.toThrow();
    await second.destroy();
  });
});

describe('Redis prefixes', () => {
  it('are dropped without touching others', async () => {
    const client = new Redis(redisUrl());
    const [mine, other] = [`${uniquePrefix()}a[b]*:`, uniquePrefix()];
    try {
      await client.mset(`${mine}1`, 'x', `${mine}2`, 'x', `${other}1`, 'x');
      await dropPrefix(client, mine);
      await expect(client.exists(`${mine}1`, `${mine}2`)).resolves.toBe(0);
      await expect(client.exists(`${other}1`)).resolves.toBe(1);
    } finally {
      await dropPrefix(client, other);
      client.disconnect();
    }
  });
});
