import { isNode, nodeAt, unwrap, variantOf, type Node } from './ast.js';
import { columnOf, isSameColumn, type ColumnLink, type ColumnRef } from './column-links.js';
import { ANY_ROW, NO_ROW, anyOf, both, type Dnf } from './conjunctions.js';
import { listOperandOf, operandOf } from './operand.js';
import type { Scope, Source } from './scope.js';
import type { Operand, SqlDialect } from './sql.types.js';

/** Operators that MySQL binds otherwise than the parser: a condition with one of them is not taken apart. */
const MISREAD_IN_MYSQL = new Set(['StringConcat', 'Xor', 'PGOverlap', 'Assignment', 'BitwiseXor']);

/**
 * What must hold of a row of one source for an expression to be true, as far as equality says it. Everything else
 * is "some row": it does not narrow, and does not widen what stands beside it.
 */
export class ConditionReader {
  /** @param links equalities between columns that hold wherever `expr` does */
  constructor(
    private readonly target: Source,
    private readonly scope: Scope,
    private readonly dialect: SqlDialect,
    private readonly max: number,
    private readonly links: readonly ColumnLink[] = [],
  ) {}

  read(expr: unknown): Dnf {
    return isMisread(expr, this.dialect) ? ANY_ROW : this.whenTrue(expr);
  }

  /** The rows for which `expr` may be true. */
  private whenTrue(expr: unknown): Dnf {
    const inner = unwrap(expr);
    if (!isNode(inner)) return ANY_ROW;
    const body = inner[variantOf(inner) as string];
    switch (variantOf(inner)) {
      case 'BinaryOp':
        return this.binary(body as Node, false);
      case 'UnaryOp':
        return (body as Node)['op'] === 'Not' ? this.whenFalse((body as Node)['expr']) : ANY_ROW;
      case 'InList':
        return (body as Node)['negated'] === true ? ANY_ROW : this.inList(body as Node);
      case 'AnyOp':
        return this.anyOperator(body as Node);
      case 'IsNull':
        return this.equal(body, { literal: null });
      case 'IsTrue':
        return this.whenTrue(body);
      case 'IsFalse':
        return this.whenFalse(body);
      case 'Value':
        return this.constant(inner, true);
      default:
        return this.bareColumn(inner, true);
    }
  }

  /** The rows for which `expr` may be false, which in SQL is not the same as "not true". */
  private whenFalse(expr: unknown): Dnf {
    const inner = unwrap(expr);
    if (!isNode(inner)) return ANY_ROW;
    const body = inner[variantOf(inner) as string];
    switch (variantOf(inner)) {
      case 'BinaryOp':
        return this.binary(body as Node, true);
      case 'UnaryOp':
        return (body as Node)['op'] === 'Not' ? this.whenTrue((body as Node)['expr']) : ANY_ROW;
      case 'InList':
        return (body as Node)['negated'] === true ? this.inList(body as Node) : ANY_ROW;
      case 'IsNotNull':
        return this.equal(body, { literal: null });
      case 'Value':
        return this.constant(inner, false);
      default:
        return this.bareColumn(inner, false);
    }
  }

  private binary(node: Node, negated: boolean): Dnf {
    const { left, right, op } = node;
    const side = (expr: unknown) => (negated ? this.whenFalse(expr) : this.whenTrue(expr));
    if (op === 'And' || op === 'Or') {
      // De Morgan: an AND is false when either side is, an OR when both are.
      return (op === 'And') !== negated
        ? both(side(left), side(right), this.max)
        : anyOf([side(left), side(right)], this.max);
    }
    if (op === (negated ? 'NotEq' : 'Eq')) return this.comparison(left, right);
    return this.constantComparison(node, negated) ?? ANY_ROW;
  }

  private comparison(left: unknown, right: unknown): Dnf {
    const [names, values] = [tupleOf(left), tupleOf(right)];
    if (names && values) return this.tuple(names, values);
    const [a, b] = [operandOf(left), operandOf(right)];
    if (a && b) return isFalse(a, b) ? NO_ROW : ANY_ROW;
    // `= NULL` is never true, whatever the column.
    if (isNullLiteral(a) || isNullLiteral(b)) return NO_ROW;
    if (b) return this.equal(left, b);
    return a ? this.equal(right, a) : ANY_ROW;
  }

  /** `1 <> 1`, and the negation of `0 = 1`. */
  private constantComparison({ left, right, op }: Node, negated: boolean): Dnf | undefined {
    if (op !== (negated ? 'Eq' : 'NotEq')) return undefined;
    const [a, b] = [operandOf(left), operandOf(right)];
    return a && b && isSame(a, b) ? NO_ROW : undefined;
  }

  private inList({ expr, list }: Node): Dnf {
    const items = Array.isArray(list) ? list : [];
    if (items.length > this.max) return ANY_ROW;
    const names = tupleOf(expr);
    return anyOf(
      items.map((item) => {
        const values = tupleOf(item);
        return names && values ? this.tuple(names, values) : this.comparison(expr, item);
      }),
      this.max,
    );
  }

  private tuple(names: readonly unknown[], values: readonly unknown[]): Dnf {
    if (names.length !== values.length) return ANY_ROW;
    return names.reduce<Dnf>(
      (dnf, name, i) => both(dnf, this.comparison(name, values[i]), this.max),
      ANY_ROW,
    );
  }

  private anyOperator({ left, right, compare_op: operator }: Node): Dnf {
    if (operator !== 'Eq') return ANY_ROW;
    const list = listOperandOf(right);
    if (list) return this.equal(left, list);
    const elements = nodeAt(unwrap(right), 'Array')?.['elem'];
    return Array.isArray(elements) ? this.inList({ expr: left, list: elements }) : ANY_ROW;
  }

  private equal(expr: unknown, operand: Operand): Dnf {
    const found = columnOf(expr, this.scope, this.dialect);
    const isNull = isNullLiteral(operand);
    if (found?.source !== this.target) return found && !isNull ? this.linked(found, operand) : ANY_ROW;
    const facts = this.target.table?.columns.get(found.column);
    // On the nullable side of an outer join IS NULL also holds where there is no row.
    const narrows = isNull ? !this.target.nullable : facts?.valueClass !== 'opaque';
    return facts && narrows ? [[{ column: found.column, operand }]] : ANY_ROW;
  }

  /** `b.x = 1` says `a.y = 1` as well where `a.y = b.x`. */
  private linked(found: ColumnRef, operand: Operand): Dnf {
    const columns = this.links.flatMap(([a, b]) => {
      const other = isSameColumn(a, found) ? b : isSameColumn(b, found) ? a : undefined;
      return other?.source === this.target ? [other.column] : [];
    });
    return [columns.map((column) => ({ column, operand }))];
  }

  /** `WHERE visible`, `WHERE NOT visible`. */
  private bareColumn(expr: Node, truth: boolean): Dnf {
    const found = columnOf(expr, this.scope, this.dialect);
    if (found?.source !== this.target) return ANY_ROW;
    const isBoolean = this.target.table?.columns.get(found.column)?.valueClass === 'boolean';
    return isBoolean ? [[{ column: found.column, operand: { literal: truth } }]] : ANY_ROW;
  }

  private constant(expr: Node, truth: boolean): Dnf {
    const operand = operandOf(expr);
    if (!operand || !('literal' in operand)) return ANY_ROW;
    const { literal } = operand;
    if (literal === null) return NO_ROW;
    if (typeof literal === 'string') return ANY_ROW;
    return Boolean(literal) === truth ? ANY_ROW : NO_ROW;
  }
}

function hasOperator(tree: unknown, operators: ReadonlySet<string>): boolean {
  if (Array.isArray(tree)) return tree.some((item) => hasOperator(item, operators));
  if (!isNode(tree)) return false;
  return Object.entries(tree).some(([key, value]) =>
    key === 'op' ? operators.has(variantOf(value) ?? '') : hasOperator(value, operators),
  );
}

export const isMisread = (expr: unknown, dialect: SqlDialect): boolean =>
  dialect === 'mysql' && hasOperator(expr, MISREAD_IN_MYSQL);

function tupleOf(expr: unknown): readonly unknown[] | undefined {
  const inner = unwrap(expr);
  const tuple = isNode(inner) ? inner['Tuple'] : undefined;
  return Array.isArray(tuple) ? tuple : undefined;
}

const isNullLiteral = (operand: Operand | undefined): boolean =>
  operand !== undefined && 'literal' in operand && operand.literal === null;

/** Two constants that are certainly not equal; `0=1` is how TypeORM writes an empty IN. */
const isFalse = (a: Operand, b: Operand): boolean =>
  isNullLiteral(a) || isNullLiteral(b) || (bothNumbers(a, b) && !isSame(a, b));

const bothNumbers = (a: Operand, b: Operand): boolean =>
  'literal' in a && 'literal' in b && typeof a.literal === 'number' && typeof b.literal === 'number';

const isSame = (a: Operand, b: Operand): boolean =>
  bothNumbers(a, b) && 'literal' in a && 'literal' in b && a.literal === b.literal;
