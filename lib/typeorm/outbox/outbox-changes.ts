import { EVERYTHING, type Token } from '../../core/token.js';
import type { Effect } from '../../invalidation/effect.js';
import type { Changes } from '../../invalidation/transaction-frames.js';
import type { TableFacts, TypeOrmCatalog } from '../catalog.js';
import { imageOfRow, type WritePlan } from '../write-plan.js';
import type { WriteObserver } from '../write-observer.js';
import { parsePayload, type RowTexts, type TriggerPayload } from './outbox.payload.js';

/** Turns rows of the outbox into what they invalidate. */
export class OutboxChanges {
  constructor(
    private readonly catalog: TypeOrmCatalog,
    private readonly writes: Pick<WriteObserver, 'effects'>,
  ) {}

  /** A payload that nobody understands may have been about anything. */
  of(payloads: readonly string[]): Changes {
    const tokens = new Set<Token>();
    const effects: Effect[] = [];
    for (const text of payloads) {
      const payload = parsePayload(text);
      if (payload === undefined) tokens.add(EVERYTHING);
      else if ('tokens' in payload) for (const token of payload.tokens) tokens.add(token);
      else effects.push(...this.effects(payload));
    }
    return { tokens, effects };
  }

  /** A table of which this application has no entity is in none of its queries. */
  private effects(payload: TriggerPayload): readonly Effect[] {
    const table = this.catalog.find(payload.table.split('.'));
    if (!table) return [];
    const plan: WritePlan = {
      source: { kind: payload.kind, table: table.id, columns: '*', returning: false },
      table,
      columns: payload.kind === 'update' ? changedColumns(payload, table) : '*',
      images: payload.kind === 'table' ? undefined : images(payload, table),
      missing: [],
      needed: [],
      imageColumns: [],
      showsBefore: false,
    };
    // MariaDB and MySQL run no triggers for what foreign keys do, so their closure is followed here as well.
    return this.writes.effects({ plans: [plan] });
  }
}

function changedColumns({ changed = '' }: TriggerPayload, table: TableFacts): '*' | ReadonlySet<string> {
  const columns = changed.split(',').filter(Boolean).map(decodeURIComponent);
  // None that we know, or one that we do not: the trigger and the entity are of different ages.
  const known = columns.length > 0 && columns.every((column) => table.columns.has(column));
  return known ? new Set(columns) : '*';
}

const images = ({ old, new: fresh }: TriggerPayload, table: TableFacts) =>
  [old, fresh]
    .filter((pieces) => pieces !== undefined)
    .map((pieces) => {
      const row: RowTexts = Object.fromEntries(pieces.flatMap((piece) => Object.entries(piece)));
      return imageOfRow(row, Object.keys(row), table);
    });
