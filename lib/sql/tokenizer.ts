import type { SqlDialect } from './sql.types.js';

export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'placeholder' | 'punctuation';

/** A piece of SQL text; white space and comments are none. */
export interface SqlToken {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
  /** Upper case for words, the name itself for quoted identifiers, otherwise as written. */
  readonly text: string;
}

export interface Tokens {
  readonly tokens: readonly SqlToken[];
  /** MySQL runs the text of `/*! ... *\/`; it is not read here. */
  readonly executableComment: boolean;
}

const SPACE = /\s+/y;
const LINE_COMMENT = /--[^\n]*/y;
const HASH_COMMENT = /#[^\n]*/y;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /(?:0[xX][0-9A-Fa-f]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y;
const DOLLAR_QUOTE = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const PLACEHOLDERS: Readonly<Record<SqlDialect, RegExp>> = {
  postgres: /\$\d+/y,
  mysql: /\?+\d*/y,
  sqlite: /\?\d*|[:@$][A-Za-z_]\w*/y,
};

/** Splits SQL text just far enough to find placeholders, words and statements. Never throws. */
export function tokenize(sql: string, dialect: SqlDialect): Tokens {
  const scanner = new Scanner(sql, dialect);
  return { tokens: scanner.run(), executableComment: scanner.executableComment };
}

class Scanner {
  executableComment = false;
  private at = 0;
  private readonly tokens: SqlToken[] = [];

  constructor(
    private readonly sql: string,
    private readonly dialect: SqlDialect,
  ) {}

  run(): readonly SqlToken[] {
    while (this.at < this.sql.length) {
      if (!this.skipBlank()) this.token();
    }
    return this.tokens;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    return pattern.exec(this.sql)?.[0];
  }

  private skipBlank(): boolean {
    const blank =
      this.match(SPACE) ??
      this.match(LINE_COMMENT) ??
      (this.dialect === 'mysql' ? this.match(HASH_COMMENT) : undefined);
    if (blank !== undefined) {
      this.at += blank.length;
      return true;
    }
    if (!this.sql.startsWith('/*', this.at)) return false;
    if (this.dialect === 'mysql' && /^\/\*M?!/.test(this.sql.slice(this.at, this.at + 4)))
      this.executableComment = true;
    this.at = this.endOfComment();
    return true;
  }

  /** PostgreSQL nests block comments. */
  private endOfComment(): number {
    let depth = 0;
    const marks = /\/\*|\*\//g;
    marks.lastIndex = this.at;
    for (let mark = marks.exec(this.sql); mark; mark = marks.exec(this.sql)) {
      if (mark[0] === '*/') depth--;
      else if (depth === 0 || this.dialect === 'postgres') depth++;
      if (depth === 0) return marks.lastIndex;
    }
    return this.sql.length;
  }

  private token(): void {
    const char = this.sql[this.at] as string;
    if (char === "'" || (char === '"' && this.dialect === 'mysql'))
      return this.quotedText('string', char, this.backslashes());
    if (char === '"' || char === '`') return this.quotedText('quoted', char, false);
    if (char === '[' && this.dialect === 'sqlite') return this.quotedText('quoted', ']', false);
    const dollar = this.dialect === 'postgres' ? this.match(DOLLAR_QUOTE) : undefined;
    if (dollar !== undefined) return this.dollarText(dollar);
    const placeholder = this.match(PLACEHOLDERS[this.dialect]);
    if (placeholder !== undefined) return this.push('placeholder', placeholder.length);
    const word = this.match(WORD);
    if (word !== undefined) return this.push('word', word.length);
    this.push(this.match(NUMBER) ? 'number' : 'punctuation', this.match(NUMBER)?.length ?? 1);
  }

  private push(kind: TokenKind, length: number, text?: string): void {
    const start = this.at;
    this.at += length;
    const raw = text ?? this.sql.slice(start, this.at);
    this.tokens.push({ kind, start, end: this.at, text: kind === 'word' ? raw.toUpperCase() : raw });
  }

  /** MySQL strings and PostgreSQL's `E'...'` escape with a backslash. */
  private backslashes(): boolean {
    if (this.dialect === 'mysql') return true;
    const before = this.tokens.at(-1);
    return this.dialect === 'postgres' && before?.text === 'E' && before.end === this.at;
  }

  private quotedText(kind: TokenKind, close: string, backslash: boolean): void {
    let end = this.at + 1;
    while (end < this.sql.length) {
      if (backslash && this.sql[end] === '\\') end += 2;
      else if (this.sql[end] !== close) end++;
      else if (this.sql[end + 1] === close && close !== ']') end += 2;
      else break;
    }
    const inner = this.sql.slice(this.at + 1, end).replaceAll(close + close, close);
    this.push(kind, Math.min(end + 1, this.sql.length) - this.at, inner);
  }

  private dollarText(tag: string): void {
    const end = this.sql.indexOf(tag, this.at + tag.length);
    this.push('string', (end < 0 ? this.sql.length : end + tag.length) - this.at);
  }
}
