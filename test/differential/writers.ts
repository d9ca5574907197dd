import type { EntityManager, FindOptionsWhere, ObjectLiteral } from 'typeorm';
import type { QueryDeepPartialEntity } from 'typeorm/query-builder/QueryPartialEntity.js';
import type { DatabaseKind } from '../support/databases.js';
import type { Json } from './operations.js';
import { RAW_WRITES } from './raw-writes.js';
import { UUIDS } from './schema.js';
import { decode, type Environment } from './values.js';

type Where = FindOptionsWhere<ObjectLiteral>;
type Row = Record<string, unknown>;
type Writer = (manager: EntityManager, entity: string, args: unknown, kind: DatabaseKind) => Promise<unknown>;

/** Runs a write as data. Whatever is loaded for it comes through the cache, as in an application. */
const WRITERS: Readonly<Record<string, Writer>> = {
  save: (m, entity, rows) => m.save((rows as Row[]).map((row) => m.create(entity, row))),
  change: async (m, entity, args) => {
    const { key, set } = args as { key: Where; set: Row };
    const found = await m.findOneBy<Row>(entity, key);
    if (!found) return;
    for (const [name, value] of Object.entries(set))
      found[name] = isEmbedded(name) ? Object.assign(found[name] ?? {}, value) : value;
    await m.save(found);
  },
  remove: async (m, entity, key) => {
    const found = await m.findBy(entity, key as Where);
    if (found.length > 0) await m.remove(found);
  },
  softRemove: async (m, entity, id) => {
    const found = await m.findBy<ObjectLiteral>(entity, { id });
    if (found.length > 0) await m.softRemove(found);
  },
  recover: async (m, entity, id) => {
    const found = await m.find(entity, { where: { id } as Where, withDeleted: true });
    if (found.length > 0) await m.recover(found);
  },
  insert: (m, entity, rows) => m.insert(entity, rows as QueryDeepPartialEntity<ObjectLiteral>[]),
  update: async (m, entity, args) => {
    const { where, set } = args as { where: Where; set: Row };
    await m.update(entity, where, set);
  },
  delete: (m, entity, where) => m.delete(entity, where),
  softDelete: (m, entity, where) => m.softDelete(entity, where),
  restore: (m, entity, where) => m.restore(entity, where),
  upsert: (m, entity, args) => {
    const { rows, by } = args as { rows: QueryDeepPartialEntity<ObjectLiteral>[]; by: string[] };
    return m.upsert(entity, rows, by);
  },
  increment: (m, entity, args) => {
    const { where, by } = args as { where: Where; by: number };
    return m.increment(entity, where, 'views', by);
  },
  labels,
  relate: (m, entity, args) => {
    const { id, relation, to } = args as { id: number; relation: string; to: number | null };
    const target = to !== null && relation === 'author' ? UUIDS[to - 1] : to;
    return m
      .createQueryBuilder()
      .relation(entity, relation)
      .of(id)
      .set(target ?? null);
  },
  comments: async (m, entity, args) => {
    const { id, way, comment, stars } = args as { id: number; way: string; comment: number; stars: number };
    const builder = m.createQueryBuilder().relation(entity, 'comments').of(id);
    if (way === 'add') return builder.add(comment);
    if (way === 'remove') return builder.remove(comment);
    const found = (await m.findOne<ObjectLiteral>(entity, {
      where: { id },
      relations: { comments: true },
    })) as { comments: Row[] } | null;
    if (!found) return undefined;
    // Changes the first, drops the second (an orphan is deleted), adds one.
    const [first, , ...rest] = found.comments;
    if (first) first['stars'] = stars;
    found.comments = [...(first ? [first] : []), ...rest, m.create('Comment', { text: 'y', stars })];
    return m.save(found);
  },
  raw: async (m, _, args, kind) => {
    const { name, p } = args as { name: number; p: Row };
    const raw = RAW_WRITES[name % RAW_WRITES.length] as (typeof RAW_WRITES)[number];
    if (raw.only && !raw.only.includes(kind)) return;
    const { sql, params } = bind(raw.sql, p, kind);
    await m.query(sql, params);
  },
  topic: async (m, entity, args) => {
    const { id, parent, value } = args as { id: number; parent: number | null; value: number };
    const found = await m.findOneBy<Row>(entity, { id });
    if (found && value === 0) return m.remove(found);
    const above = parent !== null && parent < id ? await m.findOneBy(entity, { id: parent }) : null;
    const node: Row = found ?? m.create(entity, { id });
    Object.assign(node, entity === 'Topic' ? { name: `t${value}` } : { files: value });
    if (!found || value === 1) node['parent'] = above;
    return m.save(node);
  },
  clear: (m, entity) => m.clear(entity),
};

/** Runs one write; what it throws is the database's word. */
export async function runWriter(
  manager: EntityManager,
  how: string,
  entity: string,
  args: Json,
  env: Environment,
  kind: DatabaseKind,
): Promise<void> {
  await (WRITERS[how] as Writer)(manager, entity, decode(args, env), kind);
}

async function labels(m: EntityManager, entity: string, args: unknown): Promise<unknown> {
  const { id, way, codes } = args as { id: number; way: string; codes: string[] };
  const of = m.createQueryBuilder().relation(entity, 'labels').of(id);
  if (way === 'add') return of.add(codes[0]);
  if (way === 'remove') return of.remove(codes);
  if (way === 'set') return of.addAndRemove(codes.slice(0, 1), codes.slice(1));
  const found = (await m.findOne<ObjectLiteral>(entity, { where: { id }, relations: { labels: true } })) as {
    labels: Row[];
  } | null;
  if (!found) return undefined;
  found.labels = await m.find('Label', { where: codes.map((code) => ({ code })) });
  return m.save(found);
}

const isEmbedded = (name: string): boolean => name === 'address';

/** The statement in the database's own words. */
function bind(text: string, p: Row, kind: DatabaseKind): { sql: string; params: unknown[] } {
  const params: unknown[] = [];
  const sql = text.replace(/:(\w+)/g, (_, name: string) => {
    params.push(p[name]);
    return kind === 'postgres' ? `$${params.length}` : '?';
  });
  return { sql: kind === 'mariadb' ? sql.replaceAll('"', '`') : sql, params };
}
