import type { QueryRunner } from 'typeorm';
import { ObservedConnection, type ConnectionContext } from './connection.js';
import type { Execute } from './statement.js';

/** Follows every connection that a QueryRunner opens. */
export function observeRunner(runner: QueryRunner, shared: ConnectionContext): ObservedConnection {
  const query = runner.query.bind(runner) as Execute;
  const release = runner.release.bind(runner);
  const stream = runner.stream.bind(runner);
  const connection = new ObservedConnection(shared, query, () => runner.connect() as Promise<object>);
  const observed: Pick<QueryRunner, 'query' | 'release' | 'stream'> = {
    query: ((sql: string, params?: readonly unknown[], structured?: boolean) =>
      connection.query(sql, params, structured)) as QueryRunner['query'],
    release: () => connection.release(release),
    stream: async (sql, params, onEnd, onError) => {
      const done = await connection.beforeStream(sql);
      return stream(
        sql,
        params,
        () => {
          done();
          onEnd?.();
        },
        (error: Error) => {
          done();
          onError?.(error);
        },
      );
    },
  };
  return Object.assign(runner, observed) && connection;
}
