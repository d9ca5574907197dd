import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { CacheOpsModule, CacheOpsService } from '../../lib/index.js';
import { createDatabase, DATABASES } from '../support/databases.js';
import { KeptLog } from '../nest/app.js';
import { Brand, Label, MUSIC } from './entities/music.js';

/** Users and books of the original are brands and labels here. */
describe.each(DATABASES)('many-to-many of cacheme on %s', (kind) => {
  let close: () => Promise<void>;
  let cacheOps: CacheOpsService;
  let dataSource: DataSource;
  let brand: Brand;
  let labels: Label[];

  beforeAll(async () => {
    const database = await createDatabase(kind, { entities: MUSIC, synchronize: true });
    const app = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 }),
        CacheOpsModule.forRoot({ logger: new KeptLog() }),
      ],
    }).compile();
    await app.init();
    cacheOps = app.get(CacheOpsService);
    dataSource = app.get(DataSource);
    close = async () => {
      await app.close();
      await database.drop();
    };
  });
  afterAll(() => close());
  beforeEach(async () => {
    const { manager } = dataSource;
    labels = await manager.save(Label, [{ text: 'a' }, { text: 'b' }]);
    brand = await manager.save(Brand, { name: 'x', labels });
    await cacheOps.invalidateAll();
  });

  /** Ids of one side of the relation, each cached on its own, as of the queries that find them. */
  const labelsOfBrand = () =>
    cacheOps.getOrSet(
      'labels',
      async () =>
        (
          await dataSource.manager.find(Label, { where: { brands: { id: brand.id } }, order: { id: 'ASC' } })
        ).map(({ id }) => id),
      { track: true },
    );
  const brandsOfLabel = (index: number) =>
    cacheOps.getOrSet(
      `brands of ${index}`,
      async () => dataSource.manager.count(Brand, { where: { labels: { id: labels[index]!.id } } }),
      { track: true },
    );
  const relation = (of: 'brand' | 'label') =>
    of === 'brand'
      ? dataSource.createQueryBuilder().relation(Brand, 'labels').of(brand.id)
      : dataSource.createQueryBuilder().relation(Label, 'brands').of(labels[0]!.id);
  const otherSide = (of: 'brand' | 'label') => (of === 'brand' ? labels[0]!.id : brand.id);

  it.each([
    ['CM-04 removed from the left', 'brand'],
    ['CM-05 removed from the right', 'label'],
  ] as const)('%s, both sides are made new', async (_, side) => {
    expect([await labelsOfBrand(), await brandsOfLabel(0)]).toEqual([labels.map(({ id }) => id), 1]);
    await relation(side).remove(otherSide(side));
    expect([await labelsOfBrand(), await brandsOfLabel(0)]).toEqual([[labels[1]!.id], 0]);
  });

  it.each([
    ['CM-16 added from the left', 'brand'],
    ['CM-16 added from the right', 'label'],
  ] as const)('%s, both sides are made new', async (_, side) => {
    await relation(side).remove(otherSide(side));
    expect([await labelsOfBrand(), await brandsOfLabel(0)]).toEqual([[labels[1]!.id], 0]);
    await relation(side).add(otherSide(side));
    expect([await labelsOfBrand(), await brandsOfLabel(0)]).toEqual([labels.map(({ id }) => id), 1]);
  });
});
