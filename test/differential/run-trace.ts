import type { EntityManager, QueryRunner } from 'typeorm';
import { describe } from './describe.js';
import type { Operation, ReadOperation, TransactionOperation, WriteOperation } from './operations.js';
import { READERS } from './readers.js';
import type { Environment } from './values.js';
import type { Process, World } from './world.js';
import { runWriter } from './writers.js';

/** Why a trace is wrong. */
export class Discrepancy extends Error {
  constructor(
    readonly operation: Operation,
    readonly detail: string,
  ) {
    super(`${detail}\nin ${JSON.stringify(operation)}`);
  }
}

/** Told of what a run does, for those that count. */
export interface Observer {
  beforeWrite(operation: Operation): void;
  /**
   * After a write or a transaction, with all that it changed committed or rolled back.
   * @param isSimple whether every statement since the last call was committed
   */
  afterWrite(process: Process, isSimple: boolean): Promise<void>;
}

/** Runs operations in order and compares every read with the uncached one at that moment. */
export class TraceRunner {
  private comments: readonly number[] = [];

  constructor(
    private readonly world: World,
    private readonly observer?: Observer,
  ) {}

  /** @throws Discrepancy at the first operation that shows one */
  async run(operations: readonly Operation[]): Promise<void> {
    for (const operation of operations) {
      await this.world.quiet();
      await this.step(operation);
    }
  }

  private async step(operation: Operation): Promise<void> {
    const process = this.world.process(operation.process);
    if (operation.kind === 'read') {
      return this.compare(operation, process, process.dataSource.manager, (work) =>
        this.world.uncached(process, work),
      );
    }
    let isSimple = false;
    this.observer?.beforeWrite(operation);
    if (operation.kind === 'write') isSimple = await this.write(operation, process.dataSource.manager);
    else await this.transaction(operation, process);
    await this.world.quiet();
    await this.observer?.afterWrite(process, isSimple);
    await this.lookUpKeys(process);
  }

  private async compare(
    operation: ReadOperation,
    { services }: Process,
    manager: EntityManager,
    uncached: (work: (manager: EntityManager) => Promise<unknown>) => Promise<unknown>,
  ): Promise<void> {
    const read = (through: EntityManager): Promise<unknown> =>
      (READERS[operation.how] as (typeof READERS)[string])(
        through,
        operation.entity,
        operation.args,
        this.environment,
      );
    const errors = services.instrumentation.stats().errors;
    const [actual, expected] = [await outcome(read(manager)), await outcome(uncached(read))];
    if (actual !== expected) throw new Discrepancy(operation, `cached:   ${actual}\nuncached: ${expected}`);
    if (services.instrumentation.stats().errors > errors)
      throw new Discrepancy(operation, 'the cache reported an error');
  }

  /** @returns false when the database refused it */
  private async write(
    { how, entity, args, ...rest }: WriteOperation,
    manager: EntityManager,
  ): Promise<boolean> {
    try {
      await runWriter(manager, how, entity, args, this.environment, this.world.options.kind);
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw new Discrepancy(
        { how, entity, args, ...rest },
        `unexpected: ${String(error)}\n${(error as { query?: string }).query ?? (error as Error).stack}`,
      );
    }
  }

  private async transaction(operation: TransactionOperation, process: Process): Promise<void> {
    const { dataSource } = process;
    const work = async (manager: EntityManager): Promise<void> => {
      await this.steps(operation, process, manager);
      if (operation.end === 'rollback') throw new Rollback();
    };
    try {
      if (operation.byHand) await this.byHand(process, work);
      else if (operation.isolation) await dataSource.transaction(operation.isolation, work);
      else await dataSource.transaction(work);
    } catch (error) {
      if (!(error instanceof Rollback) && !isRefusal(error)) throw error;
    }
  }

  private async steps(
    operation: TransactionOperation,
    process: Process,
    manager: EntityManager,
  ): Promise<void> {
    const isPostgres = this.world.options.kind === 'postgres';
    for (const step of operation.steps) {
      if (step.kind === 'transaction') await this.nested(step, process, manager);
      else if (step.kind === 'read') await this.readWithin(step, process, manager);
      else if (!(operation.byHand && OWN_TRANSACTION.has(step.how)) && !(isPostgres && blocks(step))) {
        // PostgreSQL takes no further statement after one that failed.
        if (!(await this.write(step, manager)) && isPostgres) throw new Rollback();
      }
    }
  }

  private readWithin(step: ReadOperation, process: Process, manager: EntityManager): Promise<void> {
    if (step.outside) {
      return this.compare(step, process, process.dataSource.manager, (work) =>
        this.world.uncached(process, work),
      );
    }
    return this.compare(step, process, manager, (work) =>
      process.services.context.withoutCache(() => work(manager)),
    );
  }

  private async nested(step: TransactionOperation, process: Process, manager: EntityManager): Promise<void> {
    const { queryRunner } = manager;
    // By hand TypeORM knows of no transaction: a nested one of its own would end ours.
    if (!queryRunner?.isTransactionActive) return;
    try {
      await manager.transaction(async (inner) => {
        await this.steps(step, process, inner);
        if (step.end === 'rollback') throw new Rollback();
      });
    } catch (error) {
      if (!(error instanceof Rollback)) throw error;
    }
  }

  private async byHand(
    { dataSource }: Process,
    work: (manager: EntityManager) => Promise<void>,
  ): Promise<void> {
    const runner: QueryRunner = dataSource.createQueryRunner();
    try {
      await runner.query('BEGIN');
      try {
        await work(runner.manager);
        await runner.query('COMMIT');
      } catch (error) {
        await runner.query('ROLLBACK');
        throw error;
      }
    } finally {
      await runner.release();
    }
  }

  private get environment(): Environment {
    return { comments: this.comments };
  }

  private async lookUpKeys(process: Process): Promise<void> {
    const rows = await this.world.uncached(process, (m) =>
      m.createQueryBuilder('Comment', 'c').select('c.id', 'id').getRawMany<{ id: number }>(),
    );
    this.comments = rows.map(({ id }) => id).sort((a, b) => a - b);
  }
}

class Rollback extends Error {}

/** TypeORM opens a transaction for these unless it knows of one. */
const OWN_TRANSACTION = new Set([
  'save',
  'change',
  'remove',
  'softRemove',
  'recover',
  'labels',
  'comments',
  'topic',
  'relate',
  'clear',
]);

/** A truncated table is closed to everybody else until the commit. */
const blocks = ({ how, args }: WriteOperation): boolean =>
  how === 'clear' || (how === 'raw' && JSON.stringify(args).includes('TRUNCATE'));

async function outcome(result: Promise<unknown>): Promise<string> {
  try {
    return describe(await result);
  } catch (error) {
    // The text of an error may hold an alias; that there is one is what must be the same.
    return `error ${(error as Error).name}: ${(error as Error).message.slice(0, 80)}`;
  }
}

/** Constraints: keys that exist, rows that do not, NOT NULL; one row twice in an upsert; and savepoints that an implicit commit took away. */
const REFUSALS = [
  /constraint failed/i,
  /^23\d{3}$/,
  /^21000$/,
  /^ER_(?:DUP_ENTRY|NO_REFERENCED_ROW_2|ROW_IS_REFERENCED_2|BAD_NULL_ERROR|SP_DOES_NOT_EXIST|NO_DEFAULT_FOR_FIELD)$/,
];

function isRefusal(error: unknown): boolean {
  const {
    message = '',
    code = '',
    driverError,
  } = error as { message?: string; code?: string; driverError?: { code?: string } };
  return REFUSALS.some((pattern) =>
    [message, String(code), driverError?.code ?? ''].some((text) => pattern.test(text)),
  );
}
