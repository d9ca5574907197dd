import { Brackets, type EntityManager } from 'typeorm';

export type Parameters = Readonly<Record<string, unknown>>;
type Query = (manager: EntityManager, p: Parameters) => Promise<unknown>;

/** What only a query builder can say: joins by hand, subqueries, groups, raw rows. All of them are totally ordered. */
export const QUERIES: readonly Query[] = [
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .innerJoinAndSelect('a.category', 'c', 'c.rank >= :number')
      .where('a.views = :number')
      .orderBy('a.id')
      .setParameters(p)
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .leftJoinAndSelect('a.labels', 'l', 'l.weight = :number')
      .where('a.category = :category', p)
      .setParameters(p)
      .orderBy('a.id')
      .addOrderBy('l.code')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .leftJoin('a.category', 'c')
      .where('c.name = :title', p)
      .orderBy('a.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .leftJoin('a.category', 'c')
      .where('c.id IS NULL')
      .andWhere('a.status = :status', p)
      .orderBy('a.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .leftJoin('a.category', 'c')
      .where('(c.id = :category OR c.id IS NULL)', p)
      .select(['a.id', 'a.title'])
      .orderBy('a.id')
      .getMany(),
  (m) =>
    m
      .createQueryBuilder('Article', 'a')
      .select('a.status', 'status')
      .addSelect('COUNT(*)', 'n')
      .addSelect('SUM(a.views)', 'views')
      .groupBy('a.status')
      .orderBy('a.status')
      .getRawMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .select('a.category', 'c')
      .addSelect('MAX(a.views)', 'top')
      .where('a.published = :flag', p)
      .groupBy('a.category')
      .having('COUNT(*) >= 1')
      .orderBy('a.category')
      .getRawMany(),
  (m, p) =>
    m
      .createQueryBuilder('Comment', 'k')
      .select('k.article', 'article')
      .addSelect('COUNT(k.id)', 'n')
      .where('k.stars >= :number', p)
      .groupBy('k.article')
      .orderBy('k.article')
      .getRawMany(),
  (m, p) => {
    const builder = m.createQueryBuilder('Article', 'a');
    const inner = builder
      .subQuery()
      .select('s.id')
      .from('Category', 's')
      .where('s.rank = :number')
      .getQuery();
    return builder.where(`a.category IN ${inner}`).setParameters(p).orderBy('a.id').getMany();
  },
  (m, p) => {
    const builder = m.createQueryBuilder('Author', 'u');
    const inner = builder
      .subQuery()
      .select('1')
      .from('Article', 's')
      .where('s.author = u.id')
      .andWhere('s.status = :status')
      .getQuery();
    return builder.where(`EXISTS ${inner}`).setParameters(p).orderBy('u.id').getMany();
  },
  (m, p) => {
    const builder = m.createQueryBuilder('Article', 'a');
    const inner = builder.subQuery().select('s.id').from('Comment', 's').where('s.article = a.id').getQuery();
    return builder.where(`NOT EXISTS ${inner}`).andWhere('a.views <= :number', p).orderBy('a.id').getMany();
  },
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .select('a.id', 'id')
      .addSelect(
        (sub) =>
          sub.select('COUNT(*)').from('Comment', 'k').where('k.article = a.id').andWhere('k.stars = :number'),
        'n',
      )
      .where('a.author = :author')
      .setParameters(p)
      .orderBy('a.id')
      .getRawMany(),
  (m, p) =>
    m
      .createQueryBuilder()
      .select('t.c', 'c')
      .addSelect('t.n', 'n')
      .from(
        (sub) =>
          sub
            .select('x.category', 'c')
            .addSelect('COUNT(*)', 'n')
            .from('Article', 'x')
            .where('x.status = :status')
            .groupBy('x.category'),
        't',
      )
      .where('t.n > 0')
      .setParameters(p)
      .orderBy('t.c')
      .getRawMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .where(new Brackets((w) => w.where('a.title = :title').orWhere('a.slug = :slug')))
      .andWhere('a.published = :flag')
      .setParameters(p)
      .orderBy('a.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .leftJoinAndMapOne('a.top', 'Comment', 'k', 'k.article = a.id AND k.stars = 3')
      .where('a.id = :article', p)
      .orderBy('a.id')
      .addOrderBy('k.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .leftJoinAndSelect('a.comments', 'k')
      .where('a.category = :category', p)
      .orderBy('a.id')
      .addOrderBy('k.id')
      .skip(1)
      .take(2)
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .leftJoinAndSelect('a.comments', 'k')
      .where('k.stars > :number', p)
      .orderBy('a.views', 'DESC')
      .addOrderBy('a.id')
      .take(3)
      .getManyAndCount(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .innerJoin('a.labels', 'l')
      .where('l.code = :label', p)
      .orderBy('a.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .where('a.price = :price', p)
      .orWhere('a.price IS NULL')
      .orderBy('a.id')
      .getCount(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .where('a.id IN (:...ids)', p)
      .withDeleted()
      .orderBy('a.id')
      .getRawMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .select('DISTINCT a.status', 's')
      .where('a.author = :author', p)
      .orderBy('a.status')
      .getRawMany(),
  (m, p) => m.createQueryBuilder('Article', 'a').whereInIds(p['ids']).orderBy('a.id').getRawAndEntities(),
  (m, p) =>
    m
      .createQueryBuilder('Category', 'c')
      .loadRelationIdAndMap('c.articleIds', 'c.articles')
      .where('c.rank = :number', p)
      .orderBy('c.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Category', 'c')
      .leftJoin('c.articles', 'a')
      .select('c.id', 'id')
      .addSelect('COUNT(a.id)', 'n')
      .where('c.rank <= :number', p)
      .groupBy('c.id')
      .orderBy('c.id')
      .getRawMany(),
  (m, p) =>
    m
      .createQueryBuilder('Category', 'c')
      .innerJoin('Article', 'a', 'a.category = c.id AND a.status = :status', p)
      .select('c.id', 'id')
      .addSelect('a.id', 'article')
      .orderBy('c.id')
      .addOrderBy('a.id')
      .getRawMany(),
  (m, p) =>
    m
      .createQueryBuilder('Category', 'c')
      .leftJoinAndSelect('c.parent', 'p')
      .leftJoinAndSelect('p.parent', 'g')
      .where('p.rank = :number', p)
      .orderBy('c.id')
      .getMany(),
  (m, p) => m.createQueryBuilder('Asset', 's').where('s.article = :article', p).orderBy('s.id').getMany(),
  (m, p) => m.createQueryBuilder('Picture', 's').where('s.size = :number', p).orderBy('s.id').getCount(),
  (m, p) =>
    m
      .createQueryBuilder('Setting', 's')
      .where("LOWER(s.scope) = 'app'")
      .andWhere('s.slot = :number', p)
      .orderBy('s.scope')
      .addOrderBy('s.slot')
      .getMany(),
  (m, p) => m.createQueryBuilder('Article', 'a').where('a.views + 1 = :number', p).orderBy('a.id').getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .where('NOT (a.views = :number AND a.published = :flag)', p)
      .orderBy('a.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .where('(a.category, a.views) IN ((:category, :number))', p)
      .orderBy('a.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .where('COALESCE(a.category, 0) = :category', p)
      .orderBy('a.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .where('CASE WHEN a.published = :flag THEN 1 ELSE 0 END = 1', p)
      .select(['a.id'])
      .orderBy('a.id')
      .getMany(),
  (m, p) =>
    m
      .createQueryBuilder('Article', 'a')
      .addCommonTableExpression(
        'SELECT "id" AS "cid" FROM "category" WHERE "rank" = 1'.replaceAll('"', quoteOf(m)),
        'ranked',
      )
      .where(`a.category IN (SELECT ${quoteOf(m)}cid${quoteOf(m)} FROM ranked)`)
      .andWhere('a.status = :status', p)
      .orderBy('a.id')
      .getMany(),
];

export const quoteOf = (manager: EntityManager): string =>
  manager.dataSource.options.type === 'mariadb' ? '`' : '"';
