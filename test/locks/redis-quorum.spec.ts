// Three Redis masters of our own: the contract with all of them, then with the first killed, and what a majority means.
import { jest } from '@jest/globals';
import { CacheOpsConfigError } from '../../lib/cacheops.errors.js';
import { RedisQuorumLockDriver } from '../../lib/locks/drivers/redis-quorum.lock-driver.js';
import { RedisLockDriver } from '../../lib/locks/drivers/redis.lock-driver.js';
import { lockDriverContract } from '../../lib/testing/lock-driver.contract.js';
import { uniquePrefix } from '../support/redis.js';
import { request } from './requests.js';
import { quorum, quorumMasters, stopQuorum } from './subjects/quorum.js';

afterAll(stopQuorum);

lockDriverContract('a quorum of three Redis masters', quorum());

describe('a quorum', () => {
  const prefix = uniquePrefix();
  let single: RedisLockDriver[];
  let driver: RedisQuorumLockDriver;
  beforeAll(async () => {
    const masters = (await quorumMasters()).map(({ url }) => url);
    single = await Promise.all(masters.map((redis) => RedisLockDriver.create({ redis, prefix })));
    driver = await RedisQuorumLockDriver.create({ masters, prefix, nodeTimeout: '1s' });
  });
  afterAll(() => Promise.all([driver, ...single].map((each) => each.close())));

  it('grants nothing, and leaves nothing behind, when one of the masters refuses', async () => {
    await single[1]?.acquire(request({ names: ['split'] }));
    expect((await driver.acquire(request({ names: ['split'] }))).granted).toBe(false);
    for (const node of [single[0], single[2]]) expect((await node?.inspect('split'))?.holders).toEqual([]);
  });

  it('has given back what it was granted before it answers: the same owner may ask again at once', async () => {
    const release = RedisLockDriver.prototype.release;
    let underWay = 0;
    let begun = 0;
    const spy = jest.spyOn(RedisLockDriver.prototype, 'release').mockImplementation(async function (
      this: RedisLockDriver,
      lease,
    ) {
      begun++;
      underWay++;
      const outcome = await release.call(this, lease);
      underWay--;
      return outcome;
    });
    await single[2]?.acquire(request({ names: ['again'] }));
    expect((await driver.acquire(request({ names: ['again'] }))).granted).toBe(false);
    expect([begun, underWay]).toEqual([2, 0]);
    spy.mockRestore();
  });

  it('tells all of them the greatest token, so that any later majority gives a greater one', async () => {
    // The clock of one of them is far ahead.
    const ahead = Date.now() * 1_000 + 3_600_000_000;
    const fast = request({ names: ['token'] });
    await single[2]?.acquireFrom(fast, ahead);
    await single[2]?.release(fast);
    const first = request({ names: ['token'] });
    const reply = await driver.acquire(first);
    expect(reply).toMatchObject({ granted: true, fencingToken: ahead + 1 });
    await driver.release(first);
    for (const node of single) {
      expect(await node.acquire(request({ names: ['token'] }))).toMatchObject({ fencingToken: ahead + 2 });
    }
  });

  it('is held as long as a majority has it', async () => {
    const lease = request({ names: ['kept'] });
    await driver.acquire(lease);
    await single[0]?.release(lease);
    expect(await driver.renew([lease])).toEqual(['renewed']);
    expect((await driver.inspect('kept')).holders).toHaveLength(1);
    await single[1]?.release(lease);
    expect(await driver.renew([lease])).toEqual(['expired']);
    expect((await driver.inspect('kept')).holders).toEqual([]);
  });

  it.each([[['redis://a', 'redis://b']], [[]], ['redis://a'], [undefined]])(
    'refuses %p as masters',
    async (masters) => {
      await expect(RedisQuorumLockDriver.create({ masters: masters as string[] })).rejects.toThrow(
        CacheOpsConfigError,
      );
    },
  );
});

describe('after the first was killed', () => {
  lockDriverContract('a quorum of three Redis masters, one of them dead', quorum(0));

  it('fails, rather than believing a minority, when a second one dies', async () => {
    const servers = await quorumMasters();
    const driver = await RedisQuorumLockDriver.create({
      masters: servers.map(({ url }) => url),
      prefix: uniquePrefix(),
    });
    const lease = request();
    expect((await driver.acquire(lease)).granted).toBe(true);
    await servers[1]?.stop();
    await expect(driver.renew([lease])).rejects.toMatchObject({ code: 'DRIVER' });
    await expect(driver.acquire(request({ names: ['b'] }))).rejects.toMatchObject({ code: 'DRIVER' });
    await expect(driver.release(lease)).rejects.toMatchObject({ code: 'DRIVER' });
    await driver.close();
  });
});
