import { isNode, nodeAt, unwrap } from './ast.js';
import { placeholderIndex } from './placeholders.js';
import type { Operand } from './sql.types.js';

/** Decimal literals of more digits do not survive the way through a double. */
const SAFE_DIGITS = 15;

/** The value that an expression stands for, when it is a parameter or a plain literal. */
export function operandOf(expr: unknown): Operand | undefined {
  const inner = unwrap(expr);
  if (!isNode(inner)) return undefined;
  const unary = nodeAt(inner, 'UnaryOp');
  if (unary) return unary['op'] === 'Minus' ? negated(operandOf(unary['expr'])) : undefined;
  const value = nodeAt(inner, 'Value')?.['value'];
  if (value === 'Null') return { literal: null };
  if (!isNode(value)) return undefined;
  return placeholder(value['Placeholder']) ?? literal(value);
}

/** The parameter of `= ANY($1)`. */
export function listOperandOf(expr: unknown): Operand | undefined {
  const operand = operandOf(expr);
  return operand && 'param' in operand ? { list: operand.param } : undefined;
}

function placeholder(text: unknown): Operand | undefined {
  const index = typeof text === 'string' ? placeholderIndex(text) : undefined;
  return index === undefined ? undefined : { param: index };
}

/** `"x"` in MySQL may be a name (ANSI_QUOTES), and escape strings depend on settings: neither is a plain literal. */
function literal(value: Record<string, unknown>): Operand | undefined {
  if (typeof value['Boolean'] === 'boolean') return { literal: value['Boolean'] };
  if (typeof value['SingleQuotedString'] === 'string') return { literal: value['SingleQuotedString'] };
  const dollar = nodeAt(value, 'DollarQuotedString')?.['value'];
  if (typeof dollar === 'string') return { literal: dollar };
  const number: unknown = Array.isArray(value['Number']) ? value['Number'][0] : undefined;
  return typeof number === 'string' ? numberLiteral(number) : undefined;
}

function numberLiteral(text: string): Operand | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return { literal: Number.isSafeInteger(number) ? number : BigInt(text) };
  }
  const digits = text.replace(/e.*$/i, '').replace(/\D/g, '').replace(/^0+/, '');
  const number = Number(text);
  return digits.length <= SAFE_DIGITS && Number.isFinite(number) ? { literal: number } : undefined;
}

/** The operand that a signed number in a text is. */
export function numberOperand(text: string): Operand | undefined {
  return text.startsWith('-') ? negated(numberLiteral(text.slice(1))) : numberLiteral(text);
}

function negated(operand: Operand | undefined): Operand | undefined {
  if (!operand || !('literal' in operand)) return undefined;
  const { literal: value } = operand;
  return typeof value === 'number' || typeof value === 'bigint' ? { literal: -value } : undefined;
}
