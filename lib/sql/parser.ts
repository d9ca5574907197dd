import { init, parse } from '@guanmingchiu/sqlparser-ts';
import { isNode, type Node } from './ast.js';
import type { SqlDialect } from './sql.types.js';

const DIALECTS = { postgres: 'postgresql', mysql: 'mysql', sqlite: 'sqlite' } as const;

/** Loads the parser. Await it once before the first `analyse`; further calls do nothing. */
export const initSqlParser = (): Promise<void> => init();

/** The statements of a text, `undefined` when the parser does not understand it. */
export function parseStatements(sql: string, dialect: SqlDialect): readonly Node[] | undefined {
  try {
    const statements: unknown = parse(sql, DIALECTS[dialect]);
    // Statements without arguments (`DISCARD ALL`) may be serialised as bare strings.
    return Array.isArray(statements)
      ? statements.map((s: unknown) => (isNode(s) ? s : { [String(s)]: {} }))
      : undefined;
  } catch {
    return undefined;
  }
}
