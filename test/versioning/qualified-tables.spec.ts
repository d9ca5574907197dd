import { Column, Entity, type EntityTarget, PrimaryColumn, type Repository, VersionColumn } from 'typeorm';
import { updateVersioned, versionTriggers } from '../../lib/typeorm/index.js';
import type { CachedSource } from '../support/cached-data-source.js';
import { createDatabase, DATABASES, type DatabaseKind } from '../support/databases.js';
import { guardedSource, refusal } from './support.js';

interface Row {
  id: number;
  name: string;
  version: number;
}

/** An entity whose table is not where the connection looks for tables by itself. */
function entityIn(place: { schema: string } | { database: string }): EntityTarget<Row> {
  @Entity('ledger', place)
  class Ledger implements Row {
    @PrimaryColumn()
    id!: number;

    @Column({ length: 50 })
    name!: string;

    @VersionColumn()
    version!: number;
  }
  return Ledger;
}

interface Place {
  readonly at: { schema: string } | { database: string };
  readonly drop: () => Promise<void>;
}

const PLACES: Record<DatabaseKind, () => Promise<Place>> = {
  // TypeORM leaves it out: the table is found where SQLite looks first.
  sqlite: () => Promise.resolve({ at: { database: 'main' }, drop: () => Promise.resolve() }),
  postgres: () => Promise.resolve({ at: { schema: 'bookkeeping' }, drop: () => Promise.resolve() }),
  mariadb: async () => {
    const { options, drop } = await createDatabase('mariadb');
    return { at: { database: String(options.database) }, drop };
  },
};

describe.each(DATABASES)('a table in another schema or database, on %s', (kind) => {
  let source: CachedSource;
  let place: Place;
  let rows: Repository<Row>;

  beforeAll(async () => {
    place = await PLACES[kind]();
    const entity = entityIn(place.at);
    source = await guardedSource(kind, { entities: [entity as never] });
    rows = source.dataSource.getRepository(entity);
    expect(rows.metadata.tablePath).toMatch(kind === 'sqlite' ? /^ledger$/ : /.\.ledger$/);
  });
  afterAll(async () => {
    await source?.close();
    await place?.drop();
  });

  const copies = async (id: number): Promise<[Row, Row]> => {
    await rows.save({ id, name: 'first' });
    return [await rows.findOneByOrFail({ id }), await rows.findOneByOrFail({ id })];
  };
  const row = (id: number): Promise<Row | null> => rows.findOne({ where: { id }, cache: false });

  it('stale saves and removes are refused', async () => {
    const [theirs, mine] = await copies(1);
    expect(mine).toMatchObject({ name: 'first', version: 1 });
    await rows.save(Object.assign(theirs, { name: 'theirs' }));
    const error = await refusal(rows.save(Object.assign(mine, { name: 'mine' })));
    expect(error).toMatchObject({ id: 1, expected: 1, actual: 2, theirs: { name: 'theirs' } });
    expect((await refusal(rows.remove(mine))).operation).toBe('remove');
    expect(await row(1)).toMatchObject({ name: 'theirs', version: 2 });
    await rows.remove(theirs);
    expect(await row(1)).toBeNull();
  });

  it('so are writes by criteria, and upserts increment', async () => {
    await copies(2);
    await rows.update({ id: 2, version: 1 }, { name: 'second' });
    expect((await refusal(rows.update({ id: 2, version: 1 }, { name: 'late' }))).actual).toBe(2);
    expect((await refusal(updateVersioned(rows, 2, 1, { name: 'late' }))).actual).toBe(2);
    await rows.upsert({ id: 2, name: 'upserted' }, ['id']);
    expect(await row(2)).toMatchObject({ name: 'upserted', version: 3 });
    expect((await refusal(rows.delete({ id: 2, version: 1 }))).operation).toBe('delete');
  });

  it('edits by other tools increment with a trigger', async () => {
    const [mine] = await copies(3);
    const triggers = versionTriggers(source.dataSource);
    for (const sql of triggers.up) await source.dataSource.query(sql);
    await source.dataSource.query(`UPDATE ${rows.metadata.tablePath} SET name = 'by a tool' WHERE id = 3`);
    expect(await refusal(rows.save(Object.assign(mine, { name: 'mine' })))).toMatchObject({
      actual: 2,
      theirs: { name: 'by a tool' },
    });
    for (const sql of triggers.down) await source.dataSource.query(sql);
  });
});
