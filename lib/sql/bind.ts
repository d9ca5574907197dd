import { canonicalValue } from './canonical-value.js';
import type {
  ColumnFacts,
  Conjunction,
  Operand,
  ReadAnalysis,
  RelationFacts,
  SqlCatalog,
  SqlDialect,
} from './sql.types.js';

/** Columns with their canonical values; empty: any row. */
export type BoundCondition = ReadonlyMap<string, string | null>;

/** What one execution of a statement reads from one table. */
export interface BoundRead {
  readonly table: string;
  readonly reads: '*' | readonly string[];
  /** OR of conditions. Empty: no row can matter. */
  readonly conditions: readonly BoundCondition[];
}

const MAX_CONJUNCTIONS = 32;

/** Puts the parameters of one execution into what its text reads. */
export function bindRead(
  analysis: ReadAnalysis,
  params: readonly unknown[],
  catalog: SqlCatalog,
  maxConjunctions = MAX_CONJUNCTIONS,
): BoundRead[] {
  return analysis.tables.map(({ table, reads, conditions }) => {
    const facts = catalog.get(table);
    const binder = new Binder(params, facts?.columns ?? new Map(), maxConjunctions, catalog.dialect);
    return { table, reads, conditions: binder.bind(conditions) };
  });
}

/** The condition of a write, with its parameters. */
export function bindWhere(
  where: readonly Conjunction[],
  params: readonly unknown[],
  table: RelationFacts,
): readonly BoundCondition[] {
  return new Binder(params, table.columns, MAX_CONJUNCTIONS, undefined).bind(where);
}

/** The value that an operand stands for in one execution. */
export function bindOperand(operand: Operand, params: readonly unknown[]): unknown {
  if ('literal' in operand) return operand.literal;
  return params['param' in operand ? operand.param : operand.list];
}

/** The values that a column may equal; `'any'` when they are not known. */
type Choices = ReadonlySet<string | null> | 'any';

class Binder {
  constructor(
    private readonly params: readonly unknown[],
    private readonly columns: ReadonlyMap<string, ColumnFacts>,
    private readonly max: number,
    private readonly dialect: SqlDialect | undefined,
  ) {}

  bind(conditions: readonly Conjunction[]): readonly BoundCondition[] {
    const bound = absorb(conditions.flatMap((conjunction) => this.conjunction(conjunction)));
    return bound.length > this.max ? [new Map()] : bound;
  }

  private conjunction(conjunction: Conjunction): readonly BoundCondition[] {
    const choices = new Map<string, ReadonlySet<string | null>>();
    for (const { column, operand } of conjunction) {
      const next = this.choices(column, operand);
      if (next === 'any') continue;
      const known = choices.get(column);
      choices.set(column, known ? new Set([...known].filter((value) => next.has(value))) : next);
    }
    return this.product(choices);
  }

  /** One condition per combination; a column of too many values is left out. No value at all: never true. */
  private product(choices: ReadonlyMap<string, ReadonlySet<string | null>>): readonly BoundCondition[] {
    // The most usual by far.
    const only = singles(choices);
    if (only !== undefined) return [only];
    let bound: BoundCondition[] = [new Map()];
    const narrowFirst = [...choices].sort(([, a], [, b]) => a.size - b.size);
    for (const [column, values] of narrowFirst) {
      if (bound.length * values.size > this.max) continue;
      bound = bound.flatMap((map) => [...values].map((value) => new Map([...map, [column, value] as const])));
    }
    return bound;
  }

  private choices(column: string, operand: Operand): Choices {
    const facts = this.columns.get(column);
    if (!facts) return 'any';
    if ('literal' in operand && operand.literal === null) return new Set([null]);
    const value = bindOperand(operand, this.params);
    const values = this.listOf(operand, value);
    if (!values) return 'any';
    const texts = new Set<string>();
    for (const item of values) {
      const text = this.canonical(facts, item);
      if (text === undefined) return 'any';
      // `= NULL` is never true.
      if (text !== null) texts.add(text);
    }
    return texts;
  }

  /** MySQL's client spreads an array over `IN (?)`. */
  private listOf(operand: Operand, value: unknown): readonly unknown[] | undefined {
    const spreads = 'list' in operand || (Array.isArray(value) && this.dialect !== 'postgres');
    if (!spreads) return [value];
    return Array.isArray(value) ? value : undefined;
  }

  /** Only PostgreSQL understands `'true'`; elsewhere the word is compared as a number, or as text. */
  private canonical(facts: ColumnFacts, value: unknown): string | null | undefined {
    const isWord = facts.valueClass === 'boolean' && typeof value === 'string' && !/^[01]$/.test(value);
    return isWord && this.dialect !== 'postgres' ? undefined : canonicalValue(facts, value);
  }
}

/** One value for each column; `undefined` when one of them has more, or none. */
function singles(choices: ReadonlyMap<string, ReadonlySet<string | null>>): BoundCondition | undefined {
  const condition = new Map<string, string | null>();
  for (const [column, values] of choices) {
    if (values.size !== 1) return undefined;
    for (const value of values) condition.set(column, value);
  }
  return condition;
}

/** Drops a condition that a broader one covers. */
function absorb(conditions: readonly BoundCondition[]): readonly BoundCondition[] {
  if (conditions.length < 2) return conditions;
  const kept: BoundCondition[] = [];
  for (const condition of [...conditions].sort((a, b) => a.size - b.size)) {
    if (!kept.some((broader) => covers(broader, condition))) kept.push(condition);
  }
  return kept;
}

function covers(broader: BoundCondition, condition: BoundCondition): boolean {
  for (const [column, value] of broader)
    if (!condition.has(column) || condition.get(column) !== value) return false;
  return true;
}
