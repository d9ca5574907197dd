import { isDeepStrictEqual } from 'node:util';
import type { ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import type { MergePart } from './three-way.js';

/** A relation as something that can be merged: what counts is which rows it points to, not what is in them. */
export function relationPart(relation: RelationMetadata): MergePart<ObjectLiteral> {
  const key = keyOf(relation);
  const isSame = isToMany(relation)
    ? (a: unknown, b: unknown) => isSameSet(keys(a, key), keys(b, key))
    : (a: unknown, b: unknown) => isSameKey(a === null ? null : key(a), b === null ? null : key(b));
  return {
    get: (entity) => relation.getEntityValue(entity) as unknown,
    set: (entity, value) => relation.setEntityValue(entity, value),
    isSame,
  };
}

export const isToMany = ({ isOneToMany, isManyToMany }: RelationMetadata): boolean =>
  isOneToMany || isManyToMany;

/** Their collection, without what I took out of it, and with what I put in. */
export function unionOf(
  relation: RelationMetadata,
): (base: unknown, mine: unknown, theirs: unknown) => unknown {
  const key = keyOf(relation);
  return (base, mine, theirs) => {
    const before = keys(base, key);
    const wanted = listed(mine);
    const kept = listed(theirs).flatMap((each) => {
      const own = wanted.find((one) => isSameKey(key(one), key(each)));
      if (own === undefined) return includes(before, key(each)) ? [] : [each];
      return [own];
    });
    const added = wanted.filter((each) => !includes(before, key(each)) && !kept.some((one) => one === each));
    return [...kept, ...added];
  };
}

/** The values that tell one related row from another; `undefined` for one that is not stored yet. */
type Key = readonly string[] | undefined;

function keyOf(relation: RelationMetadata): (related: unknown) => Key {
  const columns = keyColumns(relation);
  return (related) => {
    const values = columns.map((column) =>
      typeof related === 'object' && related !== null ? (column.getEntityValue(related) as unknown) : related,
    );
    // A row's key is compared as text: drivers answer large numbers as text.
    return values.some((value) => value === undefined || value === null) ? undefined : values.map(keyText);
  };
}

/** A foreign key may point to other columns than the primary key. */
function keyColumns({
  isWithJoinColumn,
  joinColumns,
  inverseEntityMetadata,
}: RelationMetadata): ColumnMetadata[] {
  if (!isWithJoinColumn) return inverseEntityMetadata.primaryColumns;
  return joinColumns.flatMap(({ referencedColumn }) => referencedColumn ?? []);
}

function keyText(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}

/** What is not stored yet is the same as nothing else. */
const isSameKey = (a: Key | null, b: Key | null): boolean =>
  a === null || b === null ? a === b : a !== undefined && isDeepStrictEqual(a, b);

const includes = (all: readonly Key[], one: Key): boolean => all.some((each) => isSameKey(each, one));

const isSameSet = (a: readonly Key[], b: readonly Key[]): boolean =>
  a.length === b.length && a.every((each) => includes(b, each));

const listed = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const keys = (value: unknown, key: (related: unknown) => Key): Key[] => listed(value).map(key);
