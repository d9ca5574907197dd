import { DataSource, type Logger } from 'typeorm';
import { createDatabase, type DatabaseKind } from '../support/databases.js';
import { CASES } from './cases.js';
import { ENTITIES } from './model.js';

export interface Captured {
  readonly name: string;
  readonly sql: readonly string[];
}

class SqlRecorder implements Logger {
  statements: string[] = [];
  logQuery(query: string): void {
    this.statements.push(query);
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}

/** Runs every case on a database of its own and keeps the statements that TypeORM sends. */
export async function captureStatements(kind: DatabaseKind): Promise<readonly Captured[]> {
  const recorder = new SqlRecorder();
  const database = await createDatabase(kind, {
    entities: ENTITIES,
    synchronize: true,
    logging: true,
    logger: recorder,
  });
  const db = await new DataSource(database.options).initialize();
  try {
    const captured: Captured[] = [];
    for (const [name, run] of CASES) {
      recorder.statements = [];
      await run(db).catch((error: unknown) => {
        throw new Error(`case "${name}" failed on ${kind}`, { cause: error });
      });
      captured.push({ name, sql: recorder.statements });
    }
    return captured;
  } finally {
    await db.destroy();
    await database.drop();
  }
}
