import { nodeAt, variantOf, type Node } from './ast.js';
import { withoutModifiers } from './modifiers.js';
import { numberPlaceholders, type NumberedSql } from './placeholders.js';
import { parseStatements } from './parser.js';
import { QueryReader } from './query-reader.js';
import { explainedStatement, isSessionStatement } from './session.js';
import type {
  OpaqueAnalysis,
  SqlCatalog,
  StatementAnalysis,
  WriteAnalysis,
  WriteEffect,
} from './sql.types.js';
import type { SqlToken } from './tokenizer.js';
import { transactionOf } from './transaction.js';
import { unparsed } from './unparsed.js';
import { WriteReader, mayNestWrites, nestedWrites } from './write-reader.js';
import { UnfollowedWrite } from './write-targets.js';
import { definitionEffects } from './definition-reader.js';

const READS = /^(?:SELECT|WITH|VALUES|TABLE|\()/i;

/** Analyses statements of one schema, without memory. */
export class StatementReader {
  constructor(
    private readonly catalog: SqlCatalog,
    private readonly maxConjunctions: number,
  ) {}

  /** @param onTree is given each statement as the parser understands it */
  read(sql: string, onTree: (tree: Node) => void = () => undefined): StatementAnalysis {
    const text = numberPlaceholders(sql, this.catalog.dialect);
    const parts = splitStatements(text.tokens);
    if (text.trouble) return this.troubled(sql, text.trouble);
    if (parts.length === 0) return { kind: 'session' };
    return combine(parts.map((tokens) => this.statement(cutStatement(text, tokens), onTree)));
  }

  private troubled(sql: string, trouble: string): StatementAnalysis {
    return READS.test(sql.trimStart()) && !/\b(?:INSERT|UPDATE|DELETE|MERGE|REPLACE|CALL)\b/i.test(sql)
      ? { kind: 'read', tables: [], uncacheable: trouble }
      : { kind: 'opaque', reason: trouble };
  }

  private statement(text: NumberedSql, onTree: (tree: Node) => void): StatementAnalysis {
    const transaction = transactionOf(text.sql);
    if (transaction) return transaction;
    const explained = explainedStatement(text.sql);
    if (explained !== undefined) return this.explained(explained, onTree);
    if (isSessionStatement(text.sql)) return { kind: 'session' };
    const plain = withoutModifiers(text, this.catalog.dialect);
    const analysis = this.parse(plain.text, onTree);
    return plain.ignores && analysis.kind === 'write'
      ? { kind: 'write', effects: analysis.effects.map(withoutAssigned) }
      : analysis;
  }

  private parse(text: NumberedSql, onTree: (tree: Node) => void): StatementAnalysis {
    const parsed = parseStatements(text.sql, this.catalog.dialect);
    const [node] = parsed ?? [];
    if (!node || parsed?.length !== 1) return this.unparsedStatement(text);
    onTree(node);
    try {
      return this.parsed(node, text);
    } catch (error) {
      if (error instanceof UnfollowedWrite) return { kind: 'opaque', reason: error.message };
      throw error;
    }
  }

  /** `EXPLAIN ANALYZE` runs what it explains, but shows its plan and not its result. */
  private explained(statement: string, onTree: (tree: Node) => void): StatementAnalysis {
    const analysis = this.read(statement, onTree);
    if (analysis.kind === 'read') return { kind: 'session' };
    return analysis.kind === 'write'
      ? { kind: 'write', effects: analysis.effects.map(tableEffect) }
      : analysis;
  }

  private unparsedStatement(text: NumberedSql): StatementAnalysis {
    return definitionEffects(text.tokens, this.catalog) ?? unparsed(text.tokens, this.catalog);
  }

  private parsed(node: Node, text: NumberedSql): StatementAnalysis {
    const kind = variantOf(node) as string;
    const inner = mayNestWrites(text.sql, kind) ? nestedWrites(node) : [];
    if (kind === 'Query')
      return inner.length > 0 ? this.writable(node, inner, text) : this.query(nodeAt(node, 'Query') as Node);
    const effects = this.effects(kind, nodeAt(node, kind) ?? {}, text);
    if (!effects) return this.unparsedStatement(text);
    if (inner.length === 0) return { kind: 'write', effects };
    const nested = inner.flatMap((write) => this.nestedEffects(write));
    return { kind: 'write', effects: [...effects.map(withoutUpsert), ...nested] };
  }

  private query(query: Node): StatementAnalysis {
    const reader = new QueryReader(this.catalog, this.maxConjunctions);
    reader.read(query);
    const tables = reader.collector.tables();
    if (tables.length === 0) reader.collector.refuse('reads no table');
    const refusal = reader.collector.refusal;
    return { kind: 'read', tables, ...(refusal !== undefined && { uncacheable: refusal }) };
  }

  /** `WITH ... UPDATE` with reading CTEs is followed like the plain statement. */
  private writable(node: Node, writes: readonly Node[], text: NumberedSql): WriteAnalysis {
    const query = nodeAt(node, 'Query');
    const body = nodeAt(query, 'body');
    const [only] = writes;
    if (writes.length === 1 && only && body && Object.values(body)[0] === only) {
      const kind = variantOf(only) as string;
      const effects = this.effects(kind, nodeAt(only, kind) ?? {}, text, nodeAt(query, 'with'));
      return { kind: 'write', effects: effects ?? [] };
    }
    return { kind: 'write', effects: writes.flatMap((write) => this.nestedEffects(write)) };
  }

  private effects(
    kind: string,
    node: Node,
    text: NumberedSql | undefined,
    withClause?: Node,
  ): readonly WriteEffect[] | undefined {
    const writer = new WriteReader(this.catalog, this.maxConjunctions, text, withClause);
    if (kind === 'Insert') return writer.insert(node);
    if (kind === 'Update') return writer.update(node);
    if (kind === 'Delete') return writer.delete(node);
    if (kind === 'Merge') return writer.merge(node);
    return kind === 'Copy' ? writer.copy(node) : undefined;
  }

  /** A write inside another statement: its text cannot be cut out, so its rows are those that its conditions name. */
  private nestedEffects(statement: Node): readonly WriteEffect[] {
    const kind = variantOf(statement) as string;
    const effects = this.effects(kind, nodeAt(statement, kind) ?? {}, undefined) ?? [];
    return effects.map((effect) => ({ ...withoutUpsert(effect), nested: true }));
  }
}

const tableEffect = ({ table }: WriteEffect): WriteEffect => ({
  table,
  kind: 'table',
  columns: '*',
  returning: false,
});

/** `UPDATE IGNORE` stores another value where the one it was given does not fit. */
const withoutAssigned = ({ assigned: _assigned, ...effect }: WriteEffect): WriteEffect => effect;

/** Beside other writes of its text nobody can tell which rows an upsert met. */
const withoutUpsert = ({ upsert: _upsert, ...effect }: WriteEffect): WriteEffect => effect;

function splitStatements(tokens: readonly SqlToken[]): readonly (readonly SqlToken[])[] {
  const parts: SqlToken[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'punctuation' && token.text === ';') parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts.filter((part) => part.length > 0);
}

/** One statement as a text of its own, from its first to its last token. */
function cutStatement({ sql }: NumberedSql, tokens: readonly SqlToken[]): NumberedSql {
  const start = (tokens[0] as SqlToken).start;
  const end = (tokens.at(-1) as SqlToken).end;
  return {
    sql: sql.slice(start, end),
    tokens: tokens.map((t) => ({ ...t, start: t.start - start, end: t.end - start })),
  };
}

/** Several statements in one text. */
function combine(parts: readonly StatementAnalysis[]): StatementAnalysis {
  const [first] = parts;
  if (first && parts.length === 1) return first;
  const opaque = parts.find((part): part is OpaqueAnalysis => part.kind === 'opaque');
  if (opaque) return opaque;
  if (parts.some((part) => part.kind === 'transaction')) {
    return { kind: 'opaque', reason: 'transaction control among other statements' };
  }
  const effects = parts.flatMap((part) => (part.kind === 'write' ? part.effects.map(withoutUpsert) : []));
  if (parts.some((part) => part.kind === 'write')) return { kind: 'write', effects };
  const tables = parts.flatMap((part) => (part.kind === 'read' ? part.tables : []));
  return parts.some((part) => part.kind === 'read')
    ? { kind: 'read', tables, uncacheable: 'several statements in one text' }
    : { kind: 'session' };
}
