import { isNode } from './ast.js';
import { numberOperand } from './operand.js';
import { isLiteralIndex, literalPlaceholder, placeholderIndex } from './placeholders.js';
import type { SqlDialect } from './sql.types.js';

/** A number, or a whole list of them, that was cut out of a text. */
export interface CutLiteral {
  /** As it was written. */
  readonly text: string;
  /** What stands in its place. */
  readonly place: string;
}

/** A text in which placeholders stand for the numbers whose value does not change what there is to analyse. */
export interface CutSql {
  readonly sql: string;
  readonly literals: readonly CutLiteral[];
  /** Places in `sql` that hold such a placeholder; one that stands for equal numbers has several. */
  readonly places: number;
}

const NUMBER = String.raw`-?\d+(?:\.\d+)?`;
const NAME_END = String.raw`(?:(?<![\w$?:@\u0080-\uffff])(?!NOT\b)[a-z_\u0080-\uffff][\w$\u0080-\uffff]*|["\x60\]])`;
const COMPARED = String.raw`(?<compared>\s*(?:[=<>]|[=<>!]=|<>)\s*)(?<value>${NUMBER})(?![\w.])`;
const LISTED = String.raw`(?<listed>\s+(?:NOT\s+)?IN\s*\(\s*)(?<list>${NUMBER}(?:\s*,\s*${NUMBER})*)(?=\s*\))`;
const LIMITED = String.raw`(?<limited>\b(?:LIMIT|OFFSET)\s+)(?<limit>\d+)(?![\w.])`;
/** `name = 5`, `name > 5`, `name IN (5, 6)`, `LIMIT 5`; a number with anything else beside it stays where it is. */
const CUTTABLE = new RegExp(`(?<name>${NAME_END})(?:${COMPARED}|${LISTED})|${LIMITED}`, 'gi');

const EACH_NUMBER = new RegExp(NUMBER, 'g');

const INSERT_VALUES = /^\s*(?:INSERT|REPLACE)\b[^]*?\bVALUES\b/i;
const ROW_VALUE = new RegExp(String.raw`(?<=[(,]\s*)${NUMBER}(?=\s*[,)])`, 'g');
/** Placeholders that could be taken for ours. */
const TAKEN = /[?$:@]\d{7}/;

type Groups = Readonly<Record<string, string | undefined>>;

/**
 * Cuts numbers out of a text, so that texts that differ only in them are analysed once. It looks at no more than the
 * neighbours of a number: whether it stands where an expression may stand, and not within a string or a comment, must
 * be told by `literalPlaces` of what the parser makes of the text.
 *
 * @param max longest list whose members matter; all longer ones look alike
 * @returns `undefined` when there is nothing to cut
 */
export function cutLiterals(sql: string, dialect: SqlDialect, max: number): CutSql | undefined {
  const cutter = new Cutter(dialect, max);
  const values = INSERT_VALUES.exec(sql)?.[0];
  const rows = values === undefined ? sql : values + cutter.rows(sql.slice(values.length));
  const cut = cutter.conditions(rows);
  if (cutter.places === 0 || TAKEN.test(sql)) return undefined;
  return { sql: cut, literals: cutter.literals, places: cutter.places };
}

class Cutter {
  readonly literals: CutLiteral[] = [];
  places = 0;
  /** Equal numbers share a placeholder, as the analysis unites equal conditions. */
  private readonly known = new Map<string, string>();

  constructor(
    private readonly dialect: SqlDialect,
    private readonly max: number,
  ) {}

  rows(sql: string): string {
    return sql.replace(ROW_VALUE, (text) => (this.isCuttable(text) ? this.place(text) : text));
  }

  conditions(sql: string): string {
    return sql.replace(CUTTABLE, (...args) => {
      const groups = args.at(-1) as Groups;
      const { name = '', compared, listed, limited = '', value = '', list = '', limit = '' } = groups;
      if (compared !== undefined) return name + compared + this.value(value);
      return listed !== undefined ? name + listed + this.list(list) : limited + this.place(limit);
    });
  }

  private value(text: string): string {
    if (!this.isCuttable(text)) return text;
    const known = this.known.get(text);
    if (known === undefined) return this.remember(text, this.place(text));
    this.places++;
    return known;
  }

  private list(text: string): string {
    if (text.split(',').length <= this.max) return text.replace(EACH_NUMBER, (item) => this.value(item));
    const place = literalPlaceholder(this.literals.length, this.dialect);
    const places = Array.from({ length: this.max + 1 }, () => place);
    this.places += places.length;
    this.literals.push({ text, place: places.join(', ') });
    return places.join(', ');
  }

  private place(text: string): string {
    const place = literalPlaceholder(this.literals.length, this.dialect);
    this.literals.push({ text, place });
    this.places++;
    return place;
  }

  private remember(text: string, place: string): string {
    this.known.set(text, place);
    return place;
  }

  /** MySQL puts another value where an INSERT says 0; a number that is no operand narrows nothing. */
  private isCuttable(text: string): boolean {
    return (this.dialect !== 'mysql' || Number(text) !== 0) && numberOperand(text) !== undefined;
  }
}

/** How many placeholders of literals the parser found in a statement. */
export function literalPlaces(tree: unknown): number {
  let sum = 0;
  if (Array.isArray(tree)) {
    for (const item of tree) sum += literalPlaces(item);
  } else if (isNode(tree)) {
    for (const key in tree) {
      const value = tree[key];
      if (key === 'Placeholder' && typeof value === 'string')
        sum += isLiteralIndex(placeholderIndex(value)) ? 1 : 0;
      else if (key !== 'span') sum += literalPlaces(value);
    }
  }
  return sum;
}
