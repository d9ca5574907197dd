export { bindOperand, bindRead, bindWhere, type BoundCondition, type BoundRead } from './bind.js';
export { canonicalValue } from './canonical-value.js';
export { commitsImplicitly } from './implicit-commit.js';
export { initSqlParser } from './parser.js';
export { sessionChangeOf, type SessionChange } from './session-change.js';
export { SqlAnalyser, type SqlAnalyserOptions } from './sql-analyser.js';
export { UNTOLD, withUntold } from './untold.js';
export type {
  ColumnFacts,
  Conjunction,
  Equality,
  ImageQuery,
  OpaqueAnalysis,
  Operand,
  ReadAnalysis,
  RelationFacts,
  SessionAnalysis,
  SqlCatalog,
  SqlDialect,
  StatementAnalysis,
  TableRead,
  TransactionAnalysis,
  Upsert,
  ValueClass,
  WriteAnalysis,
  WriteEffect,
} from './sql.types.js';
