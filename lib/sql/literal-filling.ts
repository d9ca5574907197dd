import type { CutLiteral } from './literals.js';
import { numberOperand } from './operand.js';
import { literalAt } from './placeholders.js';
import type {
  Conjunction,
  ImageQuery,
  Operand,
  StatementAnalysis,
  TableRead,
  WriteEffect,
} from './sql.types.js';

/** The analysis of a text, from that of the text with placeholders for its literals. */
export function fillLiterals(
  analysis: StatementAnalysis,
  literals: readonly CutLiteral[],
): StatementAnalysis {
  const filling = new Filling(literals);
  if (analysis.kind === 'read')
    return { ...analysis, tables: analysis.tables.map((table) => filling.table(table)) };
  if (analysis.kind === 'write')
    return { ...analysis, effects: analysis.effects.map((effect) => filling.effect(effect)) };
  return analysis;
}

class Filling {
  constructor(private readonly literals: readonly CutLiteral[]) {}

  table(table: TableRead): TableRead {
    return { ...table, conditions: this.conditions(table.conditions) };
  }

  effect(effect: WriteEffect): WriteEffect {
    const { rows, assigned, where, image } = effect;
    return {
      ...effect,
      ...(rows && { rows: rows.map((row) => this.values(row)) }),
      ...(assigned && { assigned: this.values(assigned) }),
      ...(where && { where: this.conditions(where) }),
      ...(image && { image: this.image(image) }),
    };
  }

  private conditions(conditions: readonly Conjunction[]): readonly Conjunction[] {
    return conditions.map((conjunction) =>
      conjunction.map(({ column, operand }) => ({ column, operand: this.operand(operand) })),
    );
  }

  private values(values: ReadonlyMap<string, Operand>): ReadonlyMap<string, Operand> {
    const filled = new Map<string, Operand>();
    for (const [column, operand] of values) filled.set(column, this.operand(operand));
    return filled;
  }

  private operand(operand: Operand): Operand {
    const literal = 'param' in operand ? this.literals[literalAt(operand.param)] : undefined;
    return (literal && numberOperand(literal.text)) ?? operand;
  }

  private image({ head, from, ...rest }: ImageQuery): ImageQuery {
    return { ...(head !== undefined && { head: this.text(head) }), from: this.text(from), ...rest };
  }

  private text(text: string): string {
    return this.literals.reduce(
      (filled, { place, text: literal }) => filled.replaceAll(place, literal),
      text,
    );
  }
}
