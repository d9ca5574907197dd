import type { SqlCatalog, StatementAnalysis } from './sql.types.js';
import { StatementReader } from './statement-reader.js';

export interface SqlAnalyserOptions {
  /** Conjunctions per table beyond which a condition is any row; 32 by default. */
  readonly maxConjunctions?: number;
  /** Texts remembered, least recently used first out; 2000 by default. */
  readonly memo?: number;
}

/** Reads SQL text of one schema. `initSqlParser()` must have been awaited. */
export class SqlAnalyser {
  private readonly reader: StatementReader;
  private readonly memo = new Map<string, StatementAnalysis>();
  private readonly memoSize: number;

  constructor(catalog: SqlCatalog, options: SqlAnalyserOptions = {}) {
    this.reader = new StatementReader(catalog, options.maxConjunctions ?? 32);
    this.memoSize = options.memo ?? 2000;
  }

  /** What a text reads or writes. Never throws: what is not understood is `opaque`. */
  analyse(sql: string): StatementAnalysis {
    const known = this.memo.get(sql);
    if (known) {
      this.memo.delete(sql);
      this.memo.set(sql, known);
      return known;
    }
    const analysis = this.read(sql);
    this.memo.set(sql, analysis);
    if (this.memo.size > this.memoSize) this.memo.delete(this.memo.keys().next().value as string);
    return analysis;
  }

  private read(sql: string): StatementAnalysis {
    try {
      return this.reader.read(sql);
    } catch (error) {
      return { kind: 'opaque', reason: `analysis failed: ${String(error)}` };
    }
  }
}
