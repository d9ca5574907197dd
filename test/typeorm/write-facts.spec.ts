import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { WriteFactsMemo } from '../../lib/typeorm/write-facts.js';
import type { TableFacts } from '../../lib/typeorm/catalog.js';
import { RegistryCache } from '../../lib/invalidation/registry-cache.js';
import { MemoryDriver } from '../../lib/drivers/memory.driver.js';
import type { WriteEffect } from '../../lib/sql/sql.types.js';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';

@Entity()
class Parcel {
  @PrimaryGeneratedColumn() id!: number;
  @Index() @Column('int') zone!: number;
  @Column('int') weight!: number;
  @Column() label!: string;
}

describe('what follows from the text of a write', () => {
  const table = {
    id: 'parcel',
    primaryColumns: ['id'],
    derivedColumns: ['checksum'],
  } as unknown as TableFacts;
  const source: WriteEffect = {
    table: 'parcel',
    kind: 'update',
    columns: ['label'],
    where: [[{ column: 'id', operand: { param: 1 } }]],
    returning: false,
  };
  const registered = (...shapes: string[]) => new Map([['parcel', { version: String(shapes), shapes }]]);

  it('is worked out once, and again when readers ask for something else', () => {
    const registries = new RegistryCache(new MemoryDriver());
    const memo = new WriteFactsMemo(registries);
    const first = memo.of(source, table);
    expect(first).toMatchObject({ needed: [], imageColumns: ['id'], showsBefore: true });
    expect(memo.of(source, table)).toBe(first);

    registries.learn(registered('zone'));
    const second = memo.of(source, table);
    expect(second).toMatchObject({ needed: ['zone'], imageColumns: ['zone', 'id'], showsBefore: true });
    expect(memo.of(source, table)).toBe(second);

    // Readers of this process, before the backend has told of them.
    registries.expect([{ table: 'parcel', shape: 'label&weight' }]);
    const third = memo.of(source, table);
    expect(third).toMatchObject({ needed: ['label', 'weight', 'zone'], showsBefore: false });

    registries.learn(registered());
    expect(memo.of(source, table).needed).toEqual([]);
  });

  it('is not that of another statement', () => {
    const memo = new WriteFactsMemo(new RegistryCache(new MemoryDriver()));
    expect(memo.of(source, table).columns).toEqual(new Set(['label', 'checksum']));
    expect(memo.of({ ...source, columns: ['weight'] }, table).columns).toEqual(
      new Set(['weight', 'checksum']),
    );
    expect(memo.of({ ...source, kind: 'delete', columns: '*' }, table).columns).toBe('*');
  });
});

/** The same statement text each time, while readers come that ask for more. */
describe.each(DATABASES)('a save that is made again and again on %s', (kind) => {
  let source: CachedSource;
  const parcels = () => source.dataSource.getRepository(Parcel);

  beforeEach(async () => {
    source = await cachedSource(kind, { entities: [Parcel] });
  });
  afterEach(() => source.close());

  it('invalidates the readers that came since', async () => {
    const parcel = await parcels().save({ zone: 1, weight: 2, label: 'a' });
    const save = async (label: string): Promise<void> => {
      parcel.label = label;
      await parcels().save(parcel);
    };
    const readers = [
      () => parcels().findOneByOrFail({ id: parcel.id }),
      () => parcels().findOneByOrFail({ zone: 1 }),
      () => parcels().findOneByOrFail({ weight: 2 }),
      () => parcels().findOneByOrFail({ zone: 1, weight: 2 }),
    ];
    for (let known = 1; known <= readers.length; known++) {
      for (const label of [`${known} b`, `${known} c`]) {
        await save(label);
        for (const read of readers.slice(0, known)) expect((await read()).label).toBe(label);
        for (const read of readers.slice(0, known)) expect((await read()).label).toBe(label);
      }
    }
  });
});
