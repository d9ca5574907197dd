import type { DataSource, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import type { CodecEntities } from './codec.entities.js';

type Query = (source: DataSource, entities: CodecEntities) => SelectQueryBuilder<ObjectLiteral>;

const find =
  (name: keyof CodecEntities, options: object): Query =>
  (source, entities) =>
    source.getRepository<ObjectLiteral>(entities[name]).createQueryBuilder(name).setFindOptions(options);

const build =
  (
    name: keyof CodecEntities,
    more: (query: SelectQueryBuilder<ObjectLiteral>, entities: CodecEntities) => unknown,
  ): Query =>
  (source, entities) => {
    const query = source.getRepository<ObjectLiteral>(entities[name]).createQueryBuilder('e').orderBy('e.id');
    more(query, entities);
    return query;
  };

/** Queries whose result can be stored. */
export const QUERIES: Readonly<Record<string, Query>> = {
  'a flat table': find('User', {}),
  'nothing found': find('User', { where: { id: -1 } }),
  'one row': find('User', { where: { name: 'Ann' } }),
  'partial selection': find('User', { select: { id: true, name: true, seenAt: true } }),
  'a column that is not selected by default': build('User', (query) => query.addSelect('e.secret')),
  'to-one joined, with null': find('Post', { relations: { author: true }, order: { id: 'ASC' } }),
  'to-many joined, with empty': find('User', { relations: { posts: true }, order: { id: 'ASC' } }),
  'one-to-one from both sides': find('User', { relations: { profile: { user: true } } }),
  'many-to-many with a composite key': find('Post', { relations: { tags: true } }),
  'nested relations': find('User', {
    relations: { posts: { tags: { posts: true }, author: { profile: true } } },
  }),
  'eager relations': find('Post', { relations: { comments: { writer: { posts: true } } } }),
  'without eager relations': find('Post', { loadEagerRelations: false }),
  'lazy relation left alone': find('Category', {}),
  'lazy to-one joined, with null': find('Post', { relations: { category: true }, order: { id: 'ASC' } }),
  'lazy to-many joined': find('Category', { relations: { posts: true } }),
  'relation in an embedded object': find('Post', {
    relations: { audit: { editor: true } },
    order: { id: 'ASC' },
  }),
  'part of an embedded object': find('Post', { select: { id: true, counters: { detail: { at: true } } } }),
  'relation ids for all': find('Post', { loadRelationIds: true }),
  'relation ids as maps': find('Post', {
    loadRelationIds: { relations: ['tags', 'author'], disableMixedMap: true },
  }),
  'queries per relation, which share objects': find('Post', {
    relations: { author: true, tags: true },
    relationLoadStrategy: 'query',
  }),
  'queries per relation, to-many': find('User', {
    relations: { posts: true },
    relationLoadStrategy: 'query',
  }),
  pages: find('Post', { relations: { tags: true }, order: { id: 'ASC' }, skip: 1, take: 1 }),
  'join mapped to one': build('Post', (query, { Comment }) =>
    query.leftJoinAndMapOne('e.firstComment', Comment, 'c', "c.post = e.id AND c.text = 'nice'"),
  ),
  'join mapped to many': build('Post', (query, { Comment }) =>
    query.leftJoinAndMapMany('e.allComments', Comment, 'c', 'c.post = e.id').addOrderBy('c.id'),
  ),
  'relation mapped to one, and its own join': build('User', (query) =>
    query.leftJoinAndMapOne('e.latest', 'e.posts', 'p').leftJoinAndSelect('p.tags', 't'),
  ),
  'join not selected': build('Post', (query) => query.innerJoin('e.author', 'a')),
  'ids mapped to a property': build('Post', (query) => query.loadRelationIdAndMap('e.tagIds', 'e.tags')),
  'ids mapped to an initialised property': build('User', (query) =>
    query.loadRelationIdAndMap('e.postIdList', 'e.posts'),
  ),
  'classes of one table': find('Person', { order: { id: 'ASC' } }),
  'one class of a table': find('Employee', { relations: { boss: true } }),
  'a tree by its parents': find('Node', { relations: { parent: true, children: true } }),
  'a view': find('UserName', { order: { id: 'ASC' } }),
  'values of a transformer that are all null': find('Priced', { where: { id: 2 } }),
  'a schema without a class': find('Gadget', { relations: { maker: true }, order: { id: 'ASC' } }),
  'a schema without a class, to-many and lazy': find('Maker', { relations: { gadgets: { parts: true } } }),
  'raw rows besides': build('User', (query) => query.addSelect('1 + 1', 'two')),
};

/** Queries whose result holds what cannot be stored exactly. */
export const UNSTORABLE: Readonly<Record<string, Query>> = {
  'instances that a transformer made': find('Priced', {}),
  'a class that hides a column behind an accessor': find('Secretive', {}),
};
