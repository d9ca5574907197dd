import type { Logger } from 'typeorm';

/** Counts what reaches the database. */
export class StatementLog implements Logger {
  readonly statements: string[] = [];
  /** What each statement was bound with. */
  readonly parameters: (readonly unknown[])[] = [];

  logQuery(query: string, parameters?: readonly unknown[]): void {
    this.statements.push(query);
    this.parameters.push(parameters ?? []);
  }

  /** SELECTs only: the number that cacheops' suite calls q. */
  get reads(): number {
    return this.statements.filter((sql) => /^\s*(SELECT|WITH)\b/i.test(sql)).length;
  }

  clear(): void {
    this.statements.length = 0;
    this.parameters.length = 0;
  }

  /** How many SELECTs `work` sends. */
  async readsDuring(work: () => Promise<unknown>): Promise<number> {
    const before = this.reads;
    await work();
    return this.reads - before;
  }

  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}
