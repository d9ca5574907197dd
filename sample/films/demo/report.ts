import type { Answer } from './client.js';

/** Width of the first column. */
const REQUEST = 60;

/** Prints the table row by row, and sums up what it has printed. */
export class Report {
  private readonly problems: string[] = [];
  private readonly times: Record<'cache' | 'database', number[]> = { cache: [], database: [] };
  private readonly statements = { cache: 0, database: 0 };

  constructor(private readonly print: (line: string) => void) {}

  head(): void {
    this.print(`${'request'.padEnd(REQUEST)}  source    SQL       time`);
  }

  chapter(text: string): void {
    this.print(`\n${text}`);
  }

  row(request: string, { source, statements, milliseconds }: Answer, problem?: string): void {
    const cells = [
      request.padEnd(REQUEST),
      source.padEnd(8),
      String(statements).padStart(4),
      `${milliseconds.toFixed(1)} ms`.padStart(9),
    ];
    this.print(cells.join('  ') + (problem === undefined ? '' : `  <- ${problem}`));
    if (problem !== undefined) this.problems.push(`${request}: ${problem}`);
  }

  /** Counts a read for the summary. */
  read({ source, statements, milliseconds }: Answer): void {
    const kind = source === 'database' ? 'database' : 'cache';
    this.times[kind].push(milliseconds);
    this.statements[kind] += statements;
  }

  /** @returns whether everything was as announced */
  summary(): boolean {
    const { cache, database } = this.times;
    this.print(
      `\n${cache.length} of ${cache.length + database.length} reads came from the cache: ${this.statements.cache} SQL ` +
        `statements and ${median(cache)} ms each (median); the other ${database.length} took ` +
        `${this.statements.database} statements and ${median(database)} ms each.`,
    );
    this.print(
      this.problems.length === 0
        ? 'Every answer was the same as an uncached read of the same moment, and every hit and miss was where it belongs.'
        : `Not as expected:\n  ${this.problems.join('\n  ')}`,
    );
    return this.problems.length === 0;
  }
}

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(1);
}
