import type { Operation } from './operations.js';
import { RAW_WRITES } from './raw-writes.js';

interface Restamp {
  readonly at: number;
  readonly cause: string;
}

const TABLE = /^t:\{[^}]*\}$/;

/** Which writes cost needless misses: for finding out what to improve. Printed with `DIFFERENTIAL_CAUSES=1`. */
export class Causes {
  private readonly restamps = new Map<string, Restamp[]>();
  private readonly stored = new Map<string, number>();
  private readonly refused = new Map<string, string>();
  private readonly droppedBy = new Map<string, string>();
  private readonly counts = new Map<string, [ours: number, seed: number]>();
  private now = 0;
  private label = '';

  begin(operation: Operation): void {
    this.label = labelOf(operation);
  }

  restamped(tokens: readonly string[]): void {
    this.now++;
    for (const token of tokens) {
      const cause = TABLE.test(token) ? `${this.label} (${token})` : this.label;
      this.restamps.set(token, [...(this.restamps.get(token) ?? []), { at: this.now, cause }]);
    }
  }

  store(key: string): void {
    this.stored.set(key, this.now);
    this.refused.delete(key);
  }

  refuse(key: string, reason: string): void {
    this.refused.set(key, reason);
  }

  seedDrops(key: string): void {
    this.droppedBy.set(key, this.label);
  }

  /** What made an entry stale first, as of now. */
  of(key: string, tokens: readonly string[]): string {
    const refused = this.refused.get(key);
    if (refused !== undefined) return `not stored: ${refused}`;
    const since = this.stored.get(key) ?? -1;
    const later = tokens.flatMap((token) => this.restamps.get(token) ?? []).filter(({ at }) => at > since);
    return later.reduce<Restamp | undefined>((a, b) => (a && a.at <= b.at ? a : b), undefined)?.cause ?? '?';
  }

  needless(cause: string): void {
    this.count(cause, 0);
  }

  seedNeedless(key: string): void {
    this.count(this.droppedBy.get(key) ?? '?', 1);
  }

  /** Needless misses by cause, the most frequent first: ours, and those of the simulated rules. */
  report(): string {
    const lines = [...this.counts].sort(([, [a, b]], [, [c, d]]) => c + d - a - b);
    return lines
      .map(([cause, [ours, seed]]) => `${String(ours).padStart(6)} ${String(seed).padStart(6)}  ${cause}`)
      .join('\n');
  }

  private count(cause: string, who: 0 | 1): void {
    const counts = this.counts.get(cause) ?? [0, 0];
    counts[who]++;
    this.counts.set(cause, counts);
  }
}

function labelOf(operation: Operation): string {
  if (operation.kind === 'read') return 'read';
  if (operation.kind === 'transaction') return `transaction, ${operation.end}`;
  const { how, entity, args } = operation;
  if (how !== 'raw') return `${how} ${entity}`;
  const { name } = args as { name: number };
  return (RAW_WRITES[name % RAW_WRITES.length] as (typeof RAW_WRITES)[number]).sql.slice(0, 70);
}
