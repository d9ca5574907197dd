import { fillLiterals } from './literal-filling.js';
import { cutLiterals, literalPlaces, type CutSql } from './literals.js';
import { LruMap } from './lru-map.js';
import type { SqlCatalog, StatementAnalysis } from './sql.types.js';
import { StatementReader } from './statement-reader.js';

export interface SqlAnalyserOptions {
  /** Conjunctions per table beyond which a condition is any row; 32 by default. */
  readonly maxConjunctions?: number;
  /**
   * Texts remembered, least recently used first out; 2000 by default. Those that differ only in numbers they are
   * compared with, store or are limited to count as one.
   */
  readonly memo?: number;
}

/** Reads SQL text of one schema. `initSqlParser()` must have been awaited. */
export class SqlAnalyser {
  private readonly reader: StatementReader;
  private readonly texts: LruMap<StatementAnalysis>;
  /** By text without literals; `none` where the literals cannot be told apart from the rest. */
  private readonly templates: LruMap<StatementAnalysis | 'none'>;
  private readonly maxConjunctions: number;

  constructor(
    private readonly catalog: SqlCatalog,
    options: SqlAnalyserOptions = {},
  ) {
    this.maxConjunctions = options.maxConjunctions ?? 32;
    this.reader = new StatementReader(catalog, this.maxConjunctions);
    this.texts = new LruMap(options.memo ?? 2000);
    this.templates = new LruMap(options.memo ?? 2000);
  }

  /** What a text reads or writes. Never throws: what is not understood is `opaque`. */
  analyse(sql: string): StatementAnalysis {
    const known = this.texts.get(sql);
    if (known) return known;
    const cut = cutLiterals(sql, this.catalog.dialect, this.maxConjunctions);
    const template = cut ? this.template(cut) : 'none';
    if (cut && template !== 'none') return fillLiterals(template, cut.literals);
    const analysis = this.read(() => this.reader.read(sql));
    this.texts.set(sql, analysis);
    return analysis;
  }

  private template({ sql, places }: CutSql): StatementAnalysis | 'none' {
    const known = this.templates.get(sql);
    if (known) return known;
    let found = 0;
    const analysis = this.read(() => this.reader.read(sql, (tree) => (found += literalPlaces(tree))));
    const template = found === places ? analysis : 'none';
    this.templates.set(sql, template);
    return template;
  }

  private read(read: () => StatementAnalysis): StatementAnalysis {
    try {
      return read();
    } catch (error) {
      return { kind: 'opaque', reason: `analysis failed: ${String(error)}` };
    }
  }
}
