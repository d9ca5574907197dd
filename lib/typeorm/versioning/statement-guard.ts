import type { DataSource, ObjectLiteral, QueryRunner } from 'typeorm';
import { InstanceChecker } from 'typeorm';
import type { VersionedOperation } from '../../versioning/record-version.js';
import { connectionOf } from '../observe-runner.js';
import type { Conflicts } from './conflicts.js';
import type { Expectation, Expectations } from './expectations.js';
import { metadataOf, type WriteBuilder, type WriteResult } from './write-builder.js';
import type { VersionedEntities } from './versioned-entities.js';
import type { VersionedEntity } from './versioned-entity.js';
import { insertText, returningText, updateText } from './version-texts.js';
import { foundAll, verifyRows } from './verify-rows.js';

/** What the builders' statements are made of, and what is made of their results. */
export class StatementGuard {
  constructor(
    private readonly dataSource: DataSource,
    private readonly entities: VersionedEntities,
    private readonly expectations: Expectations,
    private readonly conflicts: Conflicts,
  ) {}

  /** What `save()` and its kin expect of the row with this identifier object. */
  armed(identifier: unknown): Expectation | undefined {
    return this.expectations.of(identifier);
  }

  /** Criteria with the versions that their rows must have. */
  where(
    builder: WriteBuilder,
    criteria: unknown,
  ): { conditions: unknown; expected: readonly Expectation[] | undefined } {
    const versioned = this.versionedOf(builder);
    if (!versioned || typeof criteria !== 'object' || criteria === null)
      return { conditions: criteria, expected: undefined };
    const list: unknown[] = Array.isArray(criteria) ? criteria : [criteria];
    const operation = OPERATIONS[builder.expressionMap.queryType] ?? 'update';
    const found = list.map((each) => this.armed(each) ?? this.stated(versioned, each, operation));
    const conditions = list.map((each, i) => {
      const expectation = found[i];
      return expectation?.seen ? versioned.where(each as ObjectLiteral, expectation.seen) : each;
    });
    const expected = found.filter((each) => each !== undefined);
    // A condition that names no row may match any number of them: what it leaves out cannot be told.
    const complete = expected.length === found.length ? expected : undefined;
    return { conditions: Array.isArray(criteria) ? conditions : conditions[0], expected: complete };
  }

  /** Runs the statement; several rows are written all or none. */
  async execute(
    builder: WriteBuilder,
    expected: readonly Expectation[],
    run: () => Promise<WriteResult>,
  ): Promise<WriteResult> {
    const given = builder.queryRunner;
    const runner = (builder.queryRunner ??= this.dataSource.createQueryRunner('master'));
    const opens = expected.length > 1 && !runner.isTransactionActive;
    try {
      if (opens) await runner.startTransaction();
      const result = await run();
      if (!foundAll(expected, result.affected)) {
        const mine = builder.expressionMap.valuesSet;
        await verifyRows(expected, result.affected, mine, this.conflicts, runner);
      }
      satisfy(expected, runner);
      if (opens) await runner.commitTransaction();
      return result;
    } catch (error) {
      // The first error is the one to report.
      if (opens && runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      builder.queryRunner = given;
      if (!given) await runner.release();
    }
  }

  update(builder: WriteBuilder, expectation: Expectation | undefined, create: () => string): string {
    const versioned = this.versionedOf(builder);
    return versioned ? updateText(versioned, builder, expectation, create) : create();
  }

  insert(builder: WriteBuilder, create: () => string): string {
    const versioned = builder.expressionMap.onUpdate && this.versionedOf(builder);
    return versioned ? insertText(versioned, builder, create) : create();
  }

  returning(builder: WriteBuilder, columns: string): string {
    const versioned = this.versionedOf(builder);
    return versioned ? returningText(versioned, builder, columns) : columns;
  }

  private versionedOf(builder: WriteBuilder): VersionedEntity | undefined {
    const metadata = metadataOf(builder);
    return metadata && this.entities.of(metadata);
  }

  /** A criterion that names one row and its version: `update({ id, version }, ...)`. */
  private stated(
    versioned: VersionedEntity,
    criteria: unknown,
    operation: VersionedOperation,
  ): Expectation | undefined {
    const { metadata, column } = versioned;
    if (typeof criteria !== 'object' || criteria === null || typeof criteria === 'function') return undefined;
    const version: unknown = column.getEntityValue(criteria);
    if (InstanceChecker.isFindOperator(version)) return undefined;
    const identifier = metadata.getEntityIdMap(criteria);
    const isOneRow = metadata.primaryColumns.every((primary) => {
      const value: unknown = identifier && primary.getEntityValue(identifier);
      return value !== undefined && value !== null && !InstanceChecker.isFindOperator(value);
    });
    if (!identifier || !isOneRow || !versioned.isChecked(undefined)) return undefined;
    const seen = versioned.read(criteria) ?? versioned.asked(identifier);
    if (!seen) return undefined;
    const attempt = { versioned, operation, identifier, seen, mine: undefined };
    if (Number.isNaN(seen.token)) {
      throw this.conflicts.error({ ...attempt, seen: undefined }, 'missing-version', undefined);
    }
    return { ...attempt, hold: undefined, before: undefined };
  }
}

/** What was asked of these rows has been held against them; unless the write is taken back. */
function satisfy(expected: readonly Expectation[], runner: QueryRunner): void {
  for (const { versioned, identifier } of expected) {
    const asked = versioned.askedFor(identifier);
    if (!asked) continue;
    asked.satisfied = true;
    connectionOf(runner)?.frames.onRollback(() => (asked.satisfied = false));
  }
}

const OPERATIONS: Readonly<Record<string, VersionedOperation>> = {
  update: 'update',
  delete: 'delete',
  'soft-delete': 'softRemove',
  restore: 'recover',
};
