import type { DataSource, QueryRunner } from 'typeorm';

type Query = (this: QueryRunner, sql: string, ...rest: readonly unknown[]) => Promise<unknown>;

/**
 * Does something once, after the first statement that matches and before its result is seen: what another connection
 * might do at that moment. For DataSources with a pool; SQLite has one connection.
 */
export function interpose(dataSource: DataSource, after: RegExp, work: () => Promise<unknown>): void {
  const { driver } = dataSource;
  const create = driver.createQueryRunner.bind(driver);
  let isDone = false;
  const hook = (query: Query): Query =>
    async function (sql, ...rest) {
      const result = await query.call(this, sql, ...rest);
      if (!isDone && after.test(sql)) {
        isDone = true;
        await work();
      }
      return result;
    };
  driver.createQueryRunner = (mode) => {
    const runner = create(mode);
    const plain = Object.getPrototypeOf(runner) as { readonly query: Query };
    return Object.setPrototypeOf(
      runner,
      Object.assign(Object.create(plain) as object, { query: hook(plain.query) }),
    ) as QueryRunner;
  };
}
