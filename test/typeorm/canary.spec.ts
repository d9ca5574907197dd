import { readFileSync } from 'node:fs';
import { DataSource, EntityManager, SelectQueryBuilder } from 'typeorm';
import { SHOP } from './shop.entities.js';

const manifest = readFileSync('node_modules/typeorm/package.json', 'utf8');
const { version } = JSON.parse(manifest) as { version: string };
const changed = (what: string): string =>
  `TypeORM ${version} has no ${what}: lib/typeorm/ hooks into it and has to be adapted before this release is supported`;

/** What the doors reach into is not part of TypeORM's promise. An upgrade that moves it must fail here, with a sentence. */
describe('what the doors of TypeORM stand on', () => {
  const source = new DataSource({ type: 'sqljs', entities: SHOP, synchronize: true });
  beforeAll(() => source.initialize());
  afterAll(() => source.destroy());

  const missing = (target: object, names: readonly string[], owner: string): string[] =>
    names.filter((name) => !(name in target)).map((name) => changed(`${owner}.${name}`));

  it('query builders', () => {
    const methods = [
      'executeEntitiesAndRawResults',
      'loadRawResults',
      'getQueryAndParameters',
      'clone',
      'whereExists',
    ];
    expect(
      missing(
        SelectQueryBuilder.prototype,
        [...methods, 'getOne', 'getMany', 'getManyAndCount'],
        'SelectQueryBuilder',
      ),
    ).toEqual([]);
    const map = source.createQueryBuilder().expressionMap;
    const fields = [
      'aliases',
      'joinAttributes',
      'relationIdAttributes',
      'options',
      'selects',
      'callListeners',
      'queryEntity',
    ];
    expect(missing(map, [...fields, 'useTransaction', 'allOrderBys'], 'QueryExpressionMap')).toEqual([]);
  });

  it('count and exists, told by their column', async () => {
    const selected: (string | undefined)[] = [];
    const original = Reflect.get(SelectQueryBuilder.prototype, 'loadRawResults') as (
      ...args: unknown[]
    ) => unknown;
    Reflect.set(
      SelectQueryBuilder.prototype,
      'loadRawResults',
      function (this: SelectQueryBuilder<object>, ...args: unknown[]) {
        selected.push(this.expressionMap.selects[0]?.aliasName);
        return original.apply(this, args);
      },
    );
    try {
      await source.getRepository(SHOP[0]!).count();
      await source.getRepository(SHOP[0]!).exists();
    } finally {
      Reflect.set(SelectQueryBuilder.prototype, 'loadRawResults', original);
    }
    expect(selected).toEqual(['cnt', 'row_exists']);
  });

  it('a find method reaches its query builder without an await', async () => {
    let built = false;
    const manager = Object.create(source.manager) as EntityManager;
    manager.createQueryBuilder = ((...args: Parameters<EntityManager['createQueryBuilder']>) => {
      built = true;
      return source.manager.createQueryBuilder(...args);
    }) as EntityManager['createQueryBuilder'];
    const found = manager.findBy(SHOP[0]!, {});
    expect(built ? '' : changed('find method that builds its query at once')).toBe('');
    await found;
  });

  it('managers, runners and sources', () => {
    const persisting = ['save', 'remove', 'softRemove', 'recover', 'preload'];
    expect(
      missing(
        EntityManager.prototype,
        [...persisting, 'find', 'findBy', 'findOne', 'findOneBy'],
        'EntityManager',
      ),
    ).toEqual([]);
    expect(
      missing(source, ['createQueryBuilder', 'createQueryRunner', 'createEntityManager'], 'DataSource'),
    ).toEqual([]);
    const runner = source.createQueryRunner();
    expect(
      missing(
        runner,
        ['query', 'release', 'stream', 'connect', 'broadcaster', 'getReplicationMode'],
        'QueryRunner',
      ),
    ).toEqual([]);
  });
});
