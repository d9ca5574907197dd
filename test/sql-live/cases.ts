import {
  And,
  Any,
  Between,
  Brackets,
  Equal,
  ILike,
  In,
  IsNull,
  LessThan,
  LessThanOrEqual,
  Like,
  MoreThan,
  MoreThanOrEqual,
  Not,
  NotBrackets,
  Or,
  Raw,
  type DataSource,
} from 'typeorm';
import {
  Actor,
  Category,
  Customer,
  Detail,
  Employee,
  Film,
  FilmStat,
  Genre,
  Person,
  Review,
  Section,
  Topic,
} from './model.js';

export type Case = readonly [name: string, run: (db: DataSource) => Promise<unknown>];

const DATE = new Date(Date.UTC(2024, 0, 15, 12));
const UUID = '7f1d3c5a-1111-4222-8333-444455556666';
const films = (db: DataSource) => db.getRepository(Film);
const qb = (db: DataSource) => db.getRepository(Film).createQueryBuilder('f');
const isPg = (db: DataSource) => db.options.type === 'postgres';
const isSqlite = (db: DataSource) => db.options.type === 'sqljs';

/** What is there before the cases run, and the statements that put it there. */
const SEED: readonly Case[] = [
  [
    'save: tree of new entities with cascades',
    async (db) => {
      const category = await db.getRepository(Category).save({ id: 1, name: 'Drama' });
      await films(db).save({
        title: 'A',
        category,
        detail: { text: 'd' },
        actors: [{ name: 'x' }, { name: 'y' }],
        rating: { score: 5, votes: 1 },
      } as never);
    },
  ],
  [
    'save: several entities',
    (db) => films(db).save([{ title: 'B', category: { id: 1 } }, { title: 'C' }] as never),
  ],
  [
    'save: composite key',
    (db) => db.getRepository(Review).save({ filmId: 1, seq: 1, author: 'me', stars: 4 }),
  ],
  [
    'save: single-table inheritance',
    (db) => db.getRepository(Employee).save({ id: UUID, name: 'E', salary: 3 }),
  ],
  ['save: child class', (db) => db.getRepository(Customer).save({ name: 'C', points: 3 })],
  [
    'save: closure tree',
    async (db) => {
      const root = await db.getRepository(Section).save({ name: 'root' } as never);
      await db.getRepository(Section).save({ name: 'leaf', parent: root } as never);
    },
  ],
  [
    'save: materialized path',
    async (db) => {
      const root = await db.getRepository(Topic).save({ name: 'root' } as never);
      await db.getRepository(Topic).save({ name: 'leaf', parent: root } as never);
    },
  ],
  [
    'save: nested set',
    async (db) => {
      const root = await db.getRepository(Genre).save(Object.assign(new Genre(), { name: 'root' }));
      await db.getRepository(Genre).save(Object.assign(new Genre(), { name: 'leaf', parent: root }));
    },
  ],
];

const FIND: readonly Case[] = [
  ['find all', (db) => db.getRepository(Category).find()],
  ['find with eager and soft delete', (db) => films(db).find()],
  ['findBy id', (db) => db.getRepository(Actor).findBy({ id: 1 })],
  ['findOneBy', (db) => db.getRepository(Category).findOneBy({ id: 1 })],
  [
    'findOne with relation',
    (db) => db.getRepository(Category).findOne({ where: { id: 1 }, relations: { films: true } }),
  ],
  [
    'findOne, query strategy',
    (db) =>
      db
        .getRepository(Category)
        .findOne({ where: { id: 1 }, relations: { films: true }, relationLoadStrategy: 'query' }),
  ],
  ['find m2m, join', (db) => films(db).find({ where: { id: 1 }, relations: { actors: true } })],
  [
    'find m2m, query strategy',
    (db) => films(db).find({ where: { id: 1 }, relations: { actors: true }, relationLoadStrategy: 'query' }),
  ],
  [
    'find where relation',
    (db) => films(db).find({ where: { category: { name: 'Drama' } }, loadEagerRelations: false }),
  ],
  [
    'find where relation id',
    (db) => films(db).find({ where: { category: { id: 1 } }, loadEagerRelations: false }),
  ],
  [
    'find where deep relation',
    (db) => films(db).find({ where: { category: { parent: { id: 2 } } }, loadEagerRelations: false }),
  ],
  ['find where m2m', (db) => films(db).find({ where: { actors: { name: 'x' } }, loadEagerRelations: false })],
  [
    'find or',
    (db) => films(db).find({ where: [{ id: 1 }, { title: 'A', visible: true }], loadEagerRelations: false }),
  ],
  [
    'find select',
    (db) =>
      films(db).find({
        select: { id: true, title: true },
        where: { visible: true },
        loadEagerRelations: false,
      }),
  ],
  [
    'find order, limit',
    (db) => films(db).find({ order: { price: 'DESC' }, take: 3, skip: 1, loadEagerRelations: false }),
  ],
  [
    'find paginated with joins',
    (db) =>
      films(db).find({
        where: { visible: true },
        relations: { actors: true },
        take: 3,
        skip: 1,
        order: { title: 'ASC' },
      }),
  ],
  [
    'findAndCount',
    (db) => films(db).findAndCount({ where: { visible: true }, take: 2, loadEagerRelations: false }),
  ],
  [
    'findAndCount with joins',
    (db) => films(db).findAndCount({ where: { visible: true }, relations: { actors: true }, take: 2 }),
  ],
  ['find withDeleted', (db) => films(db).find({ withDeleted: true, loadEagerRelations: false })],
  ['find embedded', (db) => films(db).find({ where: { rating: { score: 5 } }, loadEagerRelations: false })],
  ['find relation ids', (db) => films(db).find({ loadRelationIds: true, loadEagerRelations: false })],
  ['find composite key', (db) => db.getRepository(Review).findBy({ filmId: 1, seq: 1 })],
  [
    'find composite keys',
    (db) =>
      db.getRepository(Review).findBy([
        { filmId: 1, seq: 1 },
        { filmId: 1, seq: 2 },
      ]),
  ],
  ['find base of inheritance', (db) => db.getRepository(Person).find()],
  ['find child of inheritance', (db) => db.getRepository(Employee).findBy({ salary: 3 })],
  ['find uuid', (db) => db.getRepository(Person).findOneBy({ id: UUID })],
  ['find view', (db) => db.getRepository(FilmStat).findBy({ categoryId: 1 })],
  ['findByIds style In', (db) => db.getRepository(Actor).findBy({ id: In([1, 2, 3]) })],
  ['findOneByOrFail', (db) => db.getRepository(Actor).findOneByOrFail({ name: 'x' })],
  ['active record', () => Actor.findBy({ name: 'x' })],
  ['exists', (db) => films(db).exists({ where: { title: 'A' } })],
  ['existsBy', (db) => films(db).existsBy({ category: { id: 1 } })],
  ['count', (db) => films(db).count({ where: { visible: true } })],
  ['countBy relation', (db) => films(db).countBy({ category: { name: 'Drama' } })],
  [
    'count with joins',
    (db) => films(db).count({ relations: { actors: true }, where: { actors: { name: 'x' } } }),
  ],
  ['sum', (db) => films(db).sum('year', { visible: true })],
  ['average', (db) => films(db).average('year', { visible: true })],
  ['minimum', (db) => films(db).minimum('year', { title: 'A' })],
  ['maximum', (db) => films(db).maximum('year')],
  ['entity manager find', (db) => db.manager.find(Actor, { where: { name: 'x' } })],
  [
    'lock pessimistic_write',
    (db) =>
      db.transaction((m) =>
        m.findOne(Actor, {
          where: { id: 1 },
          ...(isSqlite(db) ? {} : { lock: { mode: 'pessimistic_write' as const } }),
        }),
      ),
  ],
  [
    'lock pessimistic_read',
    (db) =>
      db.transaction((m) =>
        m.findOne(Actor, {
          where: { id: 1 },
          ...(isSqlite(db) ? {} : { lock: { mode: 'pessimistic_read' as const } }),
        }),
      ),
  ],
  [
    'lock skip locked',
    (db) =>
      db.transaction((m) =>
        m.findOne(Actor, {
          where: { id: 1 },
          ...(isSqlite(db)
            ? {}
            : { lock: { mode: 'pessimistic_write' as const, onLocked: 'skip_locked' as const } }),
        }),
      ),
  ],
  ['select comment', (db) => db.getRepository(Actor).find({ where: { id: 1 }, comment: 'why "?" $1' })],
];

const OPERATORS: readonly Case[] = [
  ['Not', (db) => db.getRepository(Actor).findBy({ name: Not('x') })],
  ['Not(IsNull)', (db) => db.getRepository(Review).findBy({ stars: Not(IsNull()) })],
  ['Not(In)', (db) => db.getRepository(Review).findBy({ stars: Not(In([1, 2])) })],
  ['IsNull', (db) => db.getRepository(Review).findBy({ stars: IsNull() })],
  ['Equal', (db) => db.getRepository(Review).findBy({ stars: Equal(4) })],
  ['In', (db) => db.getRepository(Review).findBy({ filmId: 1, stars: In([1, 2]) })],
  ['In empty', (db) => db.getRepository(Review).findBy({ stars: In([]) })],
  ['LessThan', (db) => db.getRepository(Review).findBy({ filmId: 1, stars: LessThan(3) })],
  ['LessThanOrEqual', (db) => db.getRepository(Review).findBy({ stars: LessThanOrEqual(3) })],
  ['MoreThan', (db) => db.getRepository(Review).findBy({ stars: MoreThan(3) })],
  ['MoreThanOrEqual', (db) => db.getRepository(Review).findBy({ stars: MoreThanOrEqual(3) })],
  ['Between', (db) => db.getRepository(Review).findBy({ filmId: 2, stars: Between(1, 3) })],
  ['Like', (db) => db.getRepository(Review).findBy({ author: Like('m%') })],
  ['ILike', (db) => db.getRepository(Review).findBy({ author: ILike('m%') })],
  ['And', (db) => db.getRepository(Review).findBy({ stars: And(MoreThan(1), LessThan(4)) })],
  ['And of equality', (db) => db.getRepository(Review).findBy({ stars: And(Equal(1), Not(IsNull())) })],
  ['Or', (db) => db.getRepository(Review).findBy({ filmId: 1, stars: Or(Equal(1), IsNull()) })],
  [
    'Or with a range',
    (db) => db.getRepository(Review).findBy({ filmId: 1, stars: Or(Equal(1), LessThan(0)) }),
  ],
  ['Any', (db) => db.getRepository(Review).findBy({ stars: isPg(db) ? Any([1, 2]) : In([1, 2]) })],
  ['Raw', (db) => db.getRepository(Review).findBy({ filmId: 1, stars: Raw((alias) => `${alias} % 2 = 0`) })],
  [
    'Raw equality',
    (db) => db.getRepository(Review).findBy({ stars: Raw((alias) => `${alias} = :n`, { n: 4 }) }),
  ],
  ['date', (db) => films(db).find({ where: { createdAt: DATE }, loadEagerRelations: false })],
  [
    'date range',
    (db) =>
      films(db).find({ where: { createdAt: MoreThan(DATE), visible: false }, loadEagerRelations: false }),
  ],
  ['decimal', (db) => films(db).find({ where: { price: '1.50' }, loadEagerRelations: false })],
  [
    'null check on relation',
    (db) => films(db).find({ where: { category: IsNull() }, loadEagerRelations: false }),
  ],
];

const BUILDER: readonly Case[] = [
  ['qb where', (db) => qb(db).where('f.id = :id', { id: 1 }).getOne()],
  ['qb whereInIds', (db) => qb(db).whereInIds([1, 2]).getMany()],
  [
    'qb and/or',
    (db) =>
      qb(db)
        .where('f.visible = :v', { v: true })
        .andWhere(new Brackets((b) => b.where('f.year = 1').orWhere('f.title = :t', { t: 'A' })))
        .getMany(),
  ],
  [
    'qb not brackets',
    (db) =>
      qb(db)
        .where(
          new NotBrackets((b) => b.where('f.visible = :v', { v: true }).orWhere('f.category_id IS NOT NULL')),
        )
        .getMany(),
  ],
  ['qb bare boolean', (db) => qb(db).where('f.visible').getMany()],
  ['qb not boolean', (db) => qb(db).where('NOT f.visible').getMany()],
  ['qb left join and select', (db) => qb(db).leftJoinAndSelect('f.category', 'c').getMany()],
  [
    'qb left join with condition',
    (db) =>
      qb(db)
        .leftJoinAndSelect('f.category', 'c', 'c.visible = :v', { v: true })
        .where('f.visible = :w', { w: true })
        .getMany(),
  ],
  [
    'qb left join, where on it',
    (db) => qb(db).leftJoin('f.category', 'c').where('c.name = :n', { n: 'Drama' }).getMany(),
  ],
  [
    'qb left join, where it is null',
    (db) => qb(db).leftJoin('f.category', 'c').where('c.id IS NULL').getMany(),
  ],
  [
    'qb left join, or across',
    (db) =>
      qb(db)
        .leftJoin('f.category', 'c')
        .where('c.name = :n OR f.visible = :v', { n: 'Drama', v: true })
        .getMany(),
  ],
  [
    'qb inner join with condition',
    (db) => qb(db).innerJoin('f.category', 'c', 'c.name = :n', { n: 'Drama' }).getMany(),
  ],
  [
    'qb inner join m2m',
    (db) =>
      qb(db)
        .innerJoinAndSelect('f.actors', 'a')
        .where('a.id IN (:...ids)', { ids: [1, 2] })
        .getMany(),
  ],
  [
    'qb join entity',
    (db) =>
      qb(db)
        .leftJoinAndMapMany('f.extra', Review, 'r', 'r.film_id = f.id AND r.stars = :s', { s: 4 })
        .getMany(),
  ],
  [
    'qb paginated',
    (db) =>
      qb(db)
        .leftJoinAndSelect('f.actors', 'a')
        .where('f.category_id = :c', { c: 1 })
        .orderBy('f.title')
        .take(2)
        .getMany(),
  ],
  [
    'qb getManyAndCount',
    (db) =>
      qb(db)
        .leftJoinAndSelect('f.actors', 'a')
        .where('f.visible = :v', { v: true })
        .take(2)
        .getManyAndCount(),
  ],
  ['qb count', (db) => qb(db).where('f.title = :t', { t: 'A' }).getCount()],
  ['qb exists', (db) => qb(db).where('f.title = :t', { t: 'A' }).getExists()],
  [
    'qb raw group',
    (db) =>
      qb(db)
        .select('f.category_id', 'c')
        .addSelect('COUNT(*)', 'n')
        .addSelect('MAX(f.price)', 'p')
        .groupBy('f.category_id')
        .having('COUNT(*) > :n', { n: 1 })
        .getRawMany(),
  ],
  [
    'qb count distinct',
    (db) => qb(db).select('COUNT(DISTINCT f.title)', 'n').where('f.visible = :v', { v: true }).getRawOne(),
  ],
  ['qb partial select', (db) => qb(db).select(['f.id', 'f.title']).orderBy('f.year').getMany()],
  [
    'qb in subquery',
    (db) =>
      qb(db)
        .where(
          (q) =>
            `f.id IN ${q.subQuery().select('r.film_id').from(Review, 'r').where('r.stars = :s').getQuery()}`,
        )
        .setParameter('s', 4)
        .getMany(),
  ],
  [
    'qb exists correlated',
    (db) =>
      qb(db)
        .where(
          (q) =>
            `EXISTS ${q.subQuery().select('1').from(Review, 'r').where('r.film_id = f.id').andWhere('r.author = :a').getQuery()}`,
        )
        .setParameter('a', 'me')
        .getMany(),
  ],
  [
    'qb scalar subquery',
    (db) =>
      qb(db)
        .select('f.id', 'id')
        .addSelect((q) => q.select('COUNT(*)').from(Review, 'r').where('r.film_id = f.id'), 'n')
        .where('f.visible = :v', { v: true })
        .getRawMany(),
  ],
  [
    'qb from subquery',
    (db) =>
      db
        .createQueryBuilder()
        .select('s.title', 't')
        .from(
          (q) =>
            q
              .select('f.title', 'title')
              .addSelect('f.year_made', 'y')
              .from(Film, 'f')
              .where('f.category_id = :c', { c: 1 }),
          's',
        )
        .where('s.y > 3')
        .getRawMany(),
  ],
  [
    'qb cte',
    (db) =>
      db
        .createQueryBuilder()
        .addCommonTableExpression(
          db.createQueryBuilder().select('f.id', 'id').from(Film, 'f').where('f.title = :t', { t: 'A' }),
          'hits',
        )
        .select('h.id', 'id')
        .from('hits', 'h')
        .getRawMany(),
  ],
  ['qb distinct', (db) => qb(db).select('f.title', 't').distinct(true).getRawMany()],
  ['qb relation ids', (db) => qb(db).loadAllRelationIds().getMany()],
  ['qb loadRelationCountAndMap', (db) => qb(db).loadRelationIdAndMap('f.actorIds', 'f.actors').getMany()],
  ['qb relation loadMany', (db) => db.createQueryBuilder().relation(Category, 'films').of(1).loadMany()],
  ['qb relation loadOne', (db) => db.createQueryBuilder().relation(Film, 'category').of(1).loadOne()],
  [
    'qb self join',
    (db) =>
      db
        .getRepository(Category)
        .createQueryBuilder('c')
        .leftJoin('c.parent', 'p')
        .where('c.visible = :v OR p.visible = :v', { v: true })
        .getMany(),
  ],
  [
    'qb self join and',
    (db) =>
      db
        .getRepository(Category)
        .createQueryBuilder('c')
        .innerJoin('c.parent', 'p')
        .where('c.name = :a AND p.name = :b', { a: 'x', b: 'y' })
        .getMany(),
  ],
  [
    'qb orderBy expression',
    (db) => qb(db).select('f.id', 'id').addSelect('LENGTH(f.title)', 'len').orderBy('len').getRawMany(),
  ],
  [
    'qb lock',
    (db) =>
      db.transaction((m) => {
        const q = m.createQueryBuilder(Actor, 'a').where('a.id = 1');
        return (isSqlite(db) ? q : q.setLock('pessimistic_write')).getMany();
      }),
  ],
  ['qb where object', (db) => qb(db).where({ title: 'A', visible: true }).getMany()],
  [
    'qb case',
    (db) =>
      qb(db).select('SUM(CASE WHEN f.visible THEN 1 ELSE 0 END)', 's').where('f.category_id = 1').getRawOne(),
  ],
  ['qb stream of ids', (db) => qb(db).select('f.id').where('f.rating.score = :s', { s: 5 }).getRawMany()],
  [
    'qb lower',
    (db) =>
      qb(db).where('LOWER(f.title) = :t', { t: 'a' }).andWhere('f.category_id = :c', { c: 1 }).getMany(),
  ],
  [
    'qb between, like',
    (db) => qb(db).where('f.year BETWEEN 1 AND 2').andWhere("f.title LIKE 'A%'").getMany(),
  ],
];

const TREES: readonly Case[] = [
  ['closure findTrees', (db) => db.getTreeRepository(Section).findTrees()],
  ['closure findRoots', (db) => db.getTreeRepository(Section).findRoots()],
  ['closure descendants', (db) => db.getTreeRepository(Section).findDescendants({ id: 1 } as Section)],
  [
    'closure descendants tree',
    (db) => db.getTreeRepository(Section).findDescendantsTree({ id: 1 } as Section),
  ],
  ['closure count descendants', (db) => db.getTreeRepository(Section).countDescendants({ id: 1 } as Section)],
  ['closure ancestors', (db) => db.getTreeRepository(Section).findAncestors({ id: 2 } as Section)],
  ['path findTrees', (db) => db.getTreeRepository(Topic).findTrees()],
  ['path descendants', (db) => db.getTreeRepository(Topic).findDescendants({ id: 1 } as Topic)],
  ['path ancestors', (db) => db.getTreeRepository(Topic).findAncestors({ id: 2 } as Topic)],
  ['nested descendants', (db) => db.getTreeRepository(Genre).findDescendants({ id: 1 } as Genre)],
  ['nested ancestors', (db) => db.getTreeRepository(Genre).countAncestors({ id: 2 } as Genre)],
];

const WRITES: readonly Case[] = [
  ['insert', (db) => db.getRepository(Actor).insert({ name: 'z' })],
  ['insert many', (db) => db.getRepository(Actor).insert([{ name: 'p' }, { name: 'q' }])],
  ['insert with defaults', (db) => films(db).insert({ title: 'D' })],
  [
    'insert with expression',
    (db) =>
      db
        .createQueryBuilder()
        .insert()
        .into(Film)
        .values({ title: () => "UPPER('e')", year: 3 })
        .execute(),
  ],
  [
    'insert orIgnore',
    (db) =>
      db
        .createQueryBuilder()
        .insert()
        .into(Review)
        .values({ filmId: 1, seq: 1, author: 'me' })
        .orIgnore()
        .execute(),
  ],
  [
    'upsert',
    (db) => db.getRepository(Review).upsert({ filmId: 1, seq: 1, author: 'you' }, ['filmId', 'seq']),
  ],
  [
    'qb orUpdate',
    (db) =>
      db
        .createQueryBuilder()
        .insert()
        .into(Review)
        .values({ filmId: 1, seq: 2, author: 'you' })
        .orUpdate(['author'], ['film_id', 'seq'])
        .execute(),
  ],
  ['update by criteria', (db) => films(db).update({ title: 'A' }, { year: 7 })],
  ['update by id', (db) => db.getRepository(Actor).update(1, { name: 'xx' })],
  ['update by ids', (db) => db.getRepository(Actor).update([1, 2], { name: 'xx' })],
  ['update all', (db) => db.getRepository(Review).updateAll({ stars: 1 })],
  [
    'update with expression',
    (db) =>
      db
        .createQueryBuilder()
        .update(Review)
        .set({ stars: () => 'stars + 1' })
        .where('film_id = :f', { f: 1 })
        .execute(),
  ],
  [
    'update with subquery',
    (db) =>
      db
        .createQueryBuilder()
        .update(Review)
        .set({ author: 'q' })
        .where('film_id IN (SELECT d.id FROM detail d WHERE d.text = :t)', { t: 'd' })
        .execute(),
  ],
  ['update relation', (db) => db.createQueryBuilder().relation(Film, 'category').of(1).set(1)],
  ['add m2m', (db) => db.createQueryBuilder().relation(Film, 'actors').of(2).add(1)],
  ['remove m2m', (db) => db.createQueryBuilder().relation(Film, 'actors').of(2).remove(1)],
  ['increment', (db) => films(db).increment({ id: 1 }, 'year', 1)],
  ['decrement', (db) => films(db).decrement({ visible: true }, 'year', 1)],
  [
    'save an update',
    async (db) => {
      const f = await films(db).findOneByOrFail({ id: 1 });
      f.title = 'AA';
      await films(db).save(f);
    },
  ],
  [
    'save a relation change',
    async (db) => {
      const f = await films(db).findOneOrFail({
        where: { id: 1 },
        relations: { actors: true, category: true },
      });
      f.category = null;
      f.actors = f.actors.slice(1);
      await films(db).save(f);
    },
  ],
  [
    'save composite key',
    (db) => db.getRepository(Review).save({ filmId: 1, seq: 1, author: 'them', stars: 2 }),
  ],
  ['save child class', (db) => db.getRepository(Employee).save({ id: UUID, salary: 9 })],
  ['soft delete', (db) => films(db).softDelete({ title: 'B' })],
  ['restore', (db) => films(db).restore({ title: 'B' })],
  ['soft remove', async (db) => films(db).softRemove(await films(db).findOneByOrFail({ id: 2 }))],
  [
    'recover',
    async (db) => films(db).recover(await films(db).findOneOrFail({ where: { id: 2 }, withDeleted: true })),
  ],
  ['delete by id', (db) => db.getRepository(Actor).delete(99)],
  ['delete by criteria', (db) => db.getRepository(Review).delete({ filmId: 9, stars: IsNull() })],
  ['delete In', (db) => db.getRepository(Review).delete({ filmId: In([8, 9]) })],
  ['delete all', (db) => db.getRepository(Review).deleteAll()],
  [
    'qb delete',
    (db) =>
      db
        .createQueryBuilder()
        .delete()
        .from(Detail)
        .where('text = :t AND id > :i', { t: 'nothing', i: 5 })
        .execute(),
  ],
  ['remove', async (db) => films(db).remove(await films(db).findOneByOrFail({ id: 3 }))],
  ['clear', (db) => db.getRepository(Review).clear()],
  ['transaction', (db) => db.transaction((m) => m.insert(Actor, { name: 'tx' }))],
  [
    'transaction serializable',
    (db) => db.transaction('SERIALIZABLE', (m) => m.insert(Actor, { name: 'tx' })),
  ],
  [
    'nested transaction',
    (db) => db.transaction((m) => m.transaction((n) => n.insert(Actor, { name: 'tx' }))),
  ],
  [
    'rolled back',
    (db) =>
      db
        .transaction(async (m) => {
          await m.insert(Actor, { name: 'no' });
          throw new Error('stop');
        })
        .catch(() => undefined),
  ],
  [
    'nested rolled back',
    (db) =>
      db.transaction((m) => m.transaction(() => Promise.reject(new Error('stop'))).catch(() => undefined)),
  ],
  ['closure add', async (db) => db.getRepository(Section).save({ name: 'x', parent: { id: 2 } } as never)],
  [
    'closure remove',
    async (db) =>
      db.getRepository(Section).remove(await db.getRepository(Section).findOneByOrFail({ id: 3 })),
  ],
];

/** Every case in the order in which it runs; the statements of one may depend on what the earlier ones left. */
export const CASES: readonly Case[] = [...SEED, ...FIND, ...OPERATORS, ...BUILDER, ...TREES, ...WRITES];
