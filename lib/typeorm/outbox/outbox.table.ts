import { EntitySchema, Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { OUTBOX_TABLE } from '../../core/outbox.js';

/** A change that may not have reached the cache yet. */
export interface OutboxRow {
  readonly id: string;
  /** `app`: written by this package beside the change; `trigger`: written by a trigger of the database. */
  readonly origin: 'app' | 'trigger';
  readonly payload: string;
  /** In UTC, by the clock of the database server. */
  readonly createdAt: Date;
}

const ID_LENGTH = 36;
const ORIGIN_LENGTH = 8;

/**
 * The outbox as an entity, for `entities` of a DataSource whose tables TypeORM makes (`synchronize`).
 * @param table its name; the same as the option `outbox.table`
 */
export const outboxEntity = (table: string = OUTBOX_TABLE): EntitySchema<OutboxRow> =>
  new EntitySchema<OutboxRow>({
    name: 'CacheOpsOutbox',
    tableName: table,
    columns: {
      id: { type: 'varchar', length: ID_LENGTH, primary: true },
      origin: { type: 'varchar', length: ORIGIN_LENGTH },
      payload: { type: 'text' },
      createdAt: { name: 'created_at', type: Date },
    },
  });

/**
 * The outbox as a migration: list it in `migrations`, or extend it to give the table another name.
 */
export class CreateCacheOpsOutbox1795000000000 implements MigrationInterface {
  /** TypeORM knows a migration by its name, which ends in a time. */
  name = 'CreateCacheOpsOutbox1795000000000';
  protected readonly table: string = OUTBOX_TABLE;

  async up(queryRunner: QueryRunner): Promise<void> {
    const { type } = queryRunner.dataSource.options;
    await queryRunner.createTable(
      new Table({
        name: this.table,
        columns: [
          { name: 'id', type: 'varchar', length: String(ID_LENGTH), isPrimary: true },
          { name: 'origin', type: 'varchar', length: String(ORIGIN_LENGTH) },
          { name: 'payload', type: 'text' },
          { name: 'created_at', type: type === 'postgres' ? 'timestamp' : 'datetime' },
        ],
      }),
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(this.table);
  }
}
