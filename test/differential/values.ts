import * as typeorm from 'typeorm';
import type { Json } from './operations.js';

/** What a trace cannot know beforehand. */
export interface Environment {
  /** Keys that the database gave out and that still exist, ascending. */
  readonly comments: readonly number[];
}

type Operator = (...values: unknown[]) => unknown;

const OPERATORS: Readonly<Record<string, Operator>> = {
  Equal: typeorm.Equal,
  Not: typeorm.Not,
  In: (...values) => typeorm.In(values),
  IsNull: typeorm.IsNull,
  LessThan: typeorm.LessThan,
  LessThanOrEqual: typeorm.LessThanOrEqual,
  MoreThan: typeorm.MoreThan,
  MoreThanOrEqual: typeorm.MoreThanOrEqual,
  Between: typeorm.Between,
  Like: typeorm.Like,
  ILike: typeorm.ILike,
  Any: (...values) => typeorm.Any(values),
  And: typeorm.And as Operator,
  Or: typeorm.Or as Operator,
  ArrayContains: (value) => typeorm.ArrayContains(value as unknown[]),
  ArrayContainedBy: (value) => typeorm.ArrayContainedBy(value as unknown[]),
  ArrayOverlap: (value) => typeorm.ArrayOverlap(value as unknown[]),
  JsonContains: (value) => typeorm.JsonContains(value as unknown[]),
  RawLess: (value) => raw('<', value),
  RawEqual: (value) => raw('=', value),
};

let parameters = 0;

/** Two in one condition must not share a parameter. */
function raw(comparison: string, value: unknown): unknown {
  const name = `raw${parameters++}`;
  return typeorm.Raw((alias) => `${alias} ${comparison} :${name}`, { [name]: value });
}

/** New objects each time: TypeORM changes operators and entities in place. */
export function decode(value: Json, env: Environment): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => decode(item, env));
  const object = value as Readonly<Record<string, Json>>;
  if (object['$date'] !== undefined) return new Date(object['$date'] as string);
  if (object['$bytes'] !== undefined) return Buffer.from(object['$bytes'] as string, 'hex');
  if (object['$comment'] !== undefined) return commentKey(object['$comment'] as number, env);
  if (object['$op'] !== undefined) {
    const make = OPERATORS[object['$op'] as string] as Operator;
    return make(...(object['v'] as readonly Json[]).map((item) => decode(item, env)));
  }
  return Object.fromEntries(Object.entries(object).map(([key, item]) => [key, decode(item, env)]));
}

function commentKey(n: number, { comments }: Environment): number {
  return comments.length === 0 ? 1 : (comments[n % comments.length] as number);
}
