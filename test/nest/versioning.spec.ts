import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import {
  Column,
  DataSource,
  type DataSourceOptions,
  Entity,
  PrimaryGeneratedColumn,
  VersionColumn,
} from 'typeorm';
import { CacheOpsModule, CacheOpsService, RecordModifiedError, retryOnConflict } from '../../lib/index.js';
import { createDatabase, DATABASES, type TestDatabase } from '../support/databases.js';
import { closeApps, KeptLog, start } from './app.js';

@Entity()
class Seat {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  guest!: string;

  @Column({ default: 0 })
  changes!: number;

  @VersionColumn()
  version!: number;
}

const REFUSED = { code: 'RECORD_MODIFIED' };

describe.each(DATABASES)('the guard of the module, with the cache on, on %s', (kind) => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let cacheOps: CacheOpsService;
  let other: DataSource | undefined;
  const log = new KeptLog();

  beforeAll(async () => {
    database = await createDatabase(kind, { entities: [Seat], synchronize: true });
    const app = await start({
      imports: [
        TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 }),
        CacheOpsModule.forRoot({ entities: { Seat: { ops: 'all' } }, versioning: {}, logger: log }),
      ],
    });
    dataSource = app.get(getDataSourceToken());
    cacheOps = app.get(CacheOpsService);
    if (kind !== 'sqlite') {
      const options = { ...database.options, synchronize: false } as DataSourceOptions;
      other = await new DataSource(options).initialize();
    }
  });
  afterAll(async () => {
    await other?.destroy();
    await closeApps();
    await database.drop();
  });

  const seat = (guest: string): Promise<Seat> => dataSource.manager.save(Seat, { guest });
  const find = (id: number): Promise<Seat> => dataSource.manager.findOneByOrFail(Seat, { id });
  const row = (id: number): Promise<Seat | null> =>
    dataSource.manager.findOne(Seat, { where: { id }, cache: false });
  /** By a tool that tells nobody: what is cached stays as it was. */
  async function byTool(sql: string): Promise<void> {
    const { driver } = dataSource as unknown as {
      driver: { databaseConnection: { run(sql: string): void } };
    };
    await (other ? other.query(sql) : driver.databaseConnection.run(sql));
  }
  const editByTool = (id: number, guest: string): Promise<void> =>
    byTool(`UPDATE seat SET guest = '${guest}', version = version + 1 WHERE id = ${id}`);
  async function hits(work: () => Promise<unknown>): Promise<number> {
    const before = cacheOps.stats().hits;
    await work();
    return cacheOps.stats().hits - before;
  }

  it('entities from a cache hit save, and those that are stale conflict', async () => {
    const { id } = await seat('first');
    await find(id);
    let mine!: Seat;
    let theirs!: Seat;
    expect(await hits(async () => ([mine, theirs] = [await find(id), await find(id)]))).toBe(2);
    expect(mine).not.toBe(theirs);
    await dataSource.manager.save(Object.assign(theirs, { guest: 'theirs' }));
    expect(theirs.version).toBe(2);
    const error: unknown = await dataSource.manager
      .save(Object.assign(mine, { guest: 'mine' }))
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RecordModifiedError);
    expect(error).toMatchObject({ ...REFUSED, expected: 1, actual: 2, theirs: { guest: 'theirs' } });
    await expect(dataSource.manager.remove(mine)).rejects.toMatchObject({ operation: 'remove', actual: 2 });
    expect(await find(id)).toEqual(theirs);
    expect(await row(id)).toEqual(theirs);
  });

  it("shows the database's row and not the cached one, and does not read the cached one again", async () => {
    const { id } = await seat('first');
    await find(id);
    await editByTool(id, 'by a tool');
    let cached!: Seat;
    expect(await hits(async () => void (cached = await find(id)))).toBe(1);
    expect(cached).toMatchObject({ guest: 'first', version: 1 });
    const save = dataSource.manager.save(Object.assign(cached, { guest: 'mine' }));
    await expect(save).rejects.toMatchObject({
      ...REFUSED,
      expected: 1,
      actual: 2,
      theirs: { guest: 'by a tool', version: 2 },
    });
    expect(await find(id)).toMatchObject({ guest: 'by a tool', version: 2 });
  });

  it.each([
    ['save()', (id: number, cached: Seat) => dataSource.manager.save(Object.assign(cached, { changes: 1 }))],
    ['remove()', (_id: number, cached: Seat) => dataSource.manager.remove(cached)],
    [
      'update()',
      (id: number, { version }: Seat) => dataSource.manager.update(Seat, { id, version }, { changes: 1 }),
    ],
    [
      'save() in a transaction',
      (_id: number, cached: Seat) =>
        dataSource.transaction((manager) => manager.save(Object.assign(cached, { changes: 1 }))),
    ],
    [
      'save() in a transaction that has a snapshot',
      (_id: number, cached: Seat) =>
        dataSource.transaction(kind === 'sqlite' ? 'SERIALIZABLE' : 'REPEATABLE READ', async (manager) => {
          await manager.query('SELECT 1 FROM seat');
          return manager.save(Object.assign(cached, { changes: 1 }));
        }),
    ],
  ])('a retry of %s reads what a tool has written', async (_name, write) => {
    const { id } = await seat('first');
    await find(id);
    await editByTool(id, 'by a tool');
    const tries = await retryOnConflict(
      async (attempt) => {
        await write(id, await find(id));
        return attempt;
      },
      { delay: '1ms', attempts: 2 },
    );
    expect(tries).toBe(2);
    const now = await row(id);
    expect(now === null ? 'removed' : now.guest).toBe(_name === 'remove()' ? 'removed' : 'by a tool');
  });

  it('a row that a tool has deleted is not saved again, and not found again', async () => {
    const { id } = await seat('first');
    const cached = await find(id);
    await byTool(`DELETE FROM seat WHERE id = ${id}`);
    expect(await hits(() => find(id))).toBe(1);
    const save = dataSource.manager.save(Object.assign(cached, { guest: 'mine' }));
    await expect(save).rejects.toMatchObject({ ...REFUSED, kind: 'deleted', theirs: null });
    expect(await dataSource.manager.findOneBy(Seat, { id })).toBeNull();
  });

  it('warns of nothing', () => {
    expect(log.warnings).toEqual([]);
  });
});
