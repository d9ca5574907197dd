import type { EntityMetadata, SelectQueryBuilder } from 'typeorm';
import type { QueryExplanation } from '../core/entity-model.js';
import { bindRead, type BoundRead } from '../sql/index.js';
import {
  graphVariant,
  type Internals,
  mainMetadata,
  ROWS,
  storesGraph,
  subjectOf,
  textOf,
} from './builder-internals.js';
import type { DoorContext, ReadDecision, ReadDoor } from './read-door.js';
import type { ObservedDataSource } from './observed-data-source.js';

/** What the door would do with a query, and which writes would make its result stale. */
export function explainQuery(
  builder: SelectQueryBuilder<object>,
  { door }: ObservedDataSource,
): QueryExplanation {
  const { sql, ...decision } = explainBuilder(builder, door);
  const automatic = automaticOps(builder, door.shared);
  if ('refusal' in decision) return { cacheable: false, reason: decision.refusal, sql, automatic };
  return {
    cacheable: true,
    sql,
    automatic,
    key: decision.key,
    tokens: decision.dependencies.tokens,
    ttl: decision.ttl,
    invalidatedBy: invalidatingWrites(sql, builder.getQueryAndParameters()[1], door.shared),
  };
}

function automaticOps(
  builder: SelectQueryBuilder<object>,
  { profiles }: DoorContext,
): QueryExplanation['automatic'] {
  const { mainAlias } = builder.expressionMap;
  const metadata: EntityMetadata | undefined = mainAlias?.hasMetadata ? mainAlias.metadata : undefined;
  const profile = metadata && profiles.of(metadata);
  return profile ? [...profile.ops] : [];
}

function invalidatingWrites(
  sql: string,
  params: readonly unknown[],
  { analyser, catalog }: DoorContext,
): string[] {
  const analysis = analyser.analyse(sql);
  return analysis.kind === 'read' ? bindRead(analysis, params, catalog).flatMap(writesOf) : [];
}

/** `INSERT or DELETE of a row of film with genre_id = 3; UPDATE of such a row that sets any of genre_id, title`. */
function writesOf({ table, reads, conditions }: BoundRead): string[] {
  if (conditions.length === 0) return [`only a change of ${table} as a whole`];
  const rows = [...new Set(conditions.map((condition) => rowsText(table, condition)))];
  const compared = conditions.flatMap((condition) => [...condition.keys()]);
  const columns = reads === '*' ? undefined : [...new Set([...compared, ...reads])].sort();
  const update =
    columns === undefined
      ? 'UPDATE of such a row'
      : `UPDATE of such a row that sets any of ${columns.join(', ')}`;
  return rows.map((row) => `INSERT or DELETE of ${row}; ${update}`);
}

function rowsText(table: string, condition: BoundRead['conditions'][number]): string {
  if (condition.size === 0) return `any row of ${table}`;
  const parts = [...condition].map(([column, value]) =>
    value === null ? `${column} IS NULL` : `${column} = ${value}`,
  );
  return `a row of ${table} with ${parts.join(' and ')}`;
}

/** What `explain` needs: the decision for a builder without running it. */
export function explainBuilder(
  builder: SelectQueryBuilder<object>,
  door: ReadDoor,
): ReadDecision & { sql: string } {
  const self = builder as unknown as Internals;
  const metadata = mainMetadata(self);
  const query = textOf(self, metadata && storesGraph(self) ? graphVariant(self) : ROWS);
  if (!metadata) return { refusal: 'the query does not start from an entity', sql: query.sql };
  const subject = subjectOf(self, 'fetch');
  const asked = { ...subject, cache: subject.cache ?? anyOp(door, metadata) };
  return { ...door.decide(asked, undefined, () => query), sql: query.sql };
}

const anyOp = (door: ReadDoor, metadata: EntityMetadata): true | undefined => {
  const profile = door.shared.profiles.of(metadata);
  return profile && profile.ops.size > 0 ? true : undefined;
};
