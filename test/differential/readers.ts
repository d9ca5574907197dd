import type {
  EntityManager,
  FindManyOptions,
  FindOneOptions,
  FindOptionsWhere,
  ObjectLiteral,
} from 'typeorm';
import type { Json } from './operations.js';
import { QUERIES, type Parameters } from './queries.js';
import { domainOf } from './schema.js';
import { decode, type Environment } from './values.js';

type Where = FindOptionsWhere<ObjectLiteral>;
type Reader = (manager: EntityManager, entity: string, args: Json, env: Environment) => Promise<unknown>;

/** Runs a read as data. A reader decodes its arguments itself, since TypeORM changes operators in place. */
export const READERS: Readonly<Record<string, Reader>> = {
  find: (m, entity, args, env) => m.find(entity, decode(args, env) as FindManyOptions),
  findOne: (m, entity, args, env) => m.findOne(entity, decode(args, env) as FindOneOptions),
  findOneBy: (m, entity, args, env) => m.findOneBy(entity, decode(args, env) as Where),
  findBy: (m, entity, args, env) => m.findBy(entity, decode(args, env) as Where).then(byKey(entity)),
  findAndCount: (m, entity, args, env) => m.findAndCount(entity, decode(args, env) as FindManyOptions),
  count: (m, entity, args, env) => m.count(entity, decode(args, env) as FindManyOptions),
  exists: (m, entity, args, env) => m.exists(entity, decode(args, env) as FindManyOptions),
  aggregate,
  query: (m, _, args, env) => {
    const { name, p } = args as { name: number; p: Json };
    return (QUERIES[name % QUERIES.length] as (typeof QUERIES)[number])(m, decode(p, env) as Parameters);
  },
  lazy: async (m, _, args, env) => {
    const found = (await m.findBy('Comment', decode(args, env) as Where)) as {
      id: number;
      author: Promise<unknown>;
    }[];
    for (const comment of found) await comment.author;
    return byKey('Comment')(found);
  },
  tree,
  byKeys: async (m, entity, args, env) => {
    // Relations by queries of their own instead of joins.
    const options = decode(args, env) as FindManyOptions;
    return m.find(entity, { ...options, relationLoadStrategy: 'query' });
  },
};

async function aggregate(m: EntityManager, entity: string, args: Json, env: Environment): Promise<unknown> {
  const {
    of,
    way,
    where,
    entity: other,
  } = args as { of: string; way: 'sum' | 'average' | 'minimum' | 'maximum'; where: Json; entity?: string };
  return m[way](other ?? entity, of, decode(where, env) as Where);
}

async function tree(m: EntityManager, _: string, args: Json): Promise<unknown> {
  const { entity, way, id } = args as { entity: string; way: number; id: number };
  const trees = m.getTreeRepository(entity);
  const node: ObjectLiteral = m.create(entity, { id });
  switch (way) {
    case 0:
      return trees.findTrees().then(byKey(entity));
    case 1:
      return trees.findRoots().then(byKey(entity));
    case 2:
      return trees.findDescendants(node).then(byKey(entity));
    case 3:
      return trees.findAncestors(node).then(byKey(entity));
    default:
      return trees.countDescendants(node);
  }
}

/** For readers that take no order: a database may answer the same question in another order. */
function byKey(entity: string): (rows: ObjectLiteral[]) => ObjectLiteral[] {
  const { key } = domainOf(entity);
  const textOf = (row: ObjectLiteral): string => JSON.stringify(key.map((name) => row[name] as unknown));
  return (rows) => [...rows].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}
