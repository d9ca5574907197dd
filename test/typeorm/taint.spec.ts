import { dependenciesOf } from '../../lib/core/dependencies.js';
import type { Codec } from '../../lib/core/lookup.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { Shelf, SHOP } from './shop.entities.js';

const json: Codec<string | undefined> = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(bytes.toString()) as string,
};

/**
 * A function that is cached by hand may run inside a transaction that has written: what it returns is made of rows
 * that nobody else may see yet, and that a rollback takes back.
 */
describe('a value computed from uncommitted rows', () => {
  let source: CachedSource;
  beforeAll(async () => {
    source = await cachedSource('postgres', { entities: SHOP });
    await source.dataSource.getRepository(Shelf).save({ name: 'committed' });
  });
  afterAll(() => source.close());

  const cached = (load: () => Promise<string | undefined>) =>
    source.services.cache.getOrSet({
      key: 'name',
      label: 'name',
      dependencies: dependenciesOf([]),
      ttl: 60_000,
      codec: json,
      load,
    });

  it('is handed to its caller, and neither stored nor shared with a caller outside', async () => {
    let reached: () => void = () => undefined;
    let go: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => (reached = resolve));
    const barrier = new Promise<void>((resolve) => (go = resolve));
    const work = source.dataSource
      .transaction(async (manager) => {
        await manager.update(Shelf, { id: 1 }, { name: 'uncommitted' });
        const seen = await cached(async () => {
          const name = (await manager.findOneByOrFail(Shelf, { id: 1 })).name;
          reached();
          await barrier;
          return name;
        });
        expect(seen).toBe('uncommitted');
        throw new Error('roll back');
      })
      .catch((error: Error) => error.message);
    await inside;
    const outside = cached(
      async () => (await source.dataSource.getRepository(Shelf).findOneByOrFail({ id: 1 })).name,
    );
    go();
    expect(await outside).toBe('committed');
    expect(await work).toBe('roll back');
    expect(source.events.filter((event) => event.type === 'refuse')).toContainEqual(
      expect.objectContaining({ key: 'name', reason: 'transaction' }),
    );
    expect(await cached(() => Promise.resolve('loaded again'))).not.toBe('uncommitted');
  });
});
