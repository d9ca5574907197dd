import { newStamp } from '../core/stamp.js';
import type { ShapeRegistry } from './cache-driver.interface.js';
import { ExpiringMap } from './expiring-map.js';
import { registryLife } from './lifetimes.js';
import { MemoryMarks } from './memory.marks.js';

/** `version` is `''` while the record holds marks only, that is when no reader has registered a shape. */
interface RegistryRecord {
  version: string;
  readonly shapes: Set<string>;
  readonly marks: MemoryMarks;
  expires: number;
}

/** Tables with a registry; beyond, the oldest is forgotten, which is as safe as any eviction (see redis.scripts.ts). */
const MOST_TABLES = 10_000;

const NONE: ShapeRegistry = { version: '', shapes: [] };

/** What became of an attempt to register shapes: `created` when the table had no registry before. */
export type Registration = 'known' | 'added' | 'created' | 'refused';

/** Condition shapes of tables in the memory driver, and the marks of writers on the tables. */
export class MemoryRegistries {
  readonly #records = new ExpiringMap<RegistryRecord>();

  get(table: string, now: number): ShapeRegistry {
    const record = this.#records.get(table, now);
    return record === undefined || record.version === ''
      ? NONE
      : { version: record.version, shapes: [...record.shapes] };
  }

  version(table: string, now: number): string {
    return this.#records.get(table, now)?.version ?? '';
  }

  /** Registers the shapes, unless one of them is new while a writer's mark is on the table. */
  register(table: string, shapes: readonly string[], ttl: number, now: number): Registration {
    const record = this.#records.get(table, now) ?? this.#create(table, now);
    const added = shapes.some((shape) => !record.shapes.has(shape));
    if (added && record.marks.latest(now) > 0) return 'refused';
    record.expires = Math.max(record.expires, now + registryLife(ttl));
    if (!added) return 'known';
    const created = record.version === '';
    record.version = newStamp();
    for (const shape of shapes) record.shapes.add(shape);
    return created ? 'created' : 'added';
  }

  mark(table: string, writer: string, deadline: number, now: number): void {
    const record = this.#records.get(table, now) ?? this.#create(table, now);
    record.marks.add(writer, deadline);
    record.expires = Math.max(record.expires, deadline);
  }

  /** @returns whether the writer's mark was still there */
  unmark(table: string, writer: string, now: number): boolean {
    return this.#records.get(table, now)?.marks.remove(writer, now) ?? false;
  }

  /** Forgets a registry with its marks. */
  drop(table: string): void {
    this.#records.delete(table);
  }

  reset(): void {
    this.#records.clear();
  }

  /** Visible for its caller only until it sets `expires`, within the same call. */
  #create(table: string, now: number): RegistryRecord {
    const record = { version: '', shapes: new Set<string>(), marks: new MemoryMarks(), expires: now + 1 };
    this.#records.set(table, record, now);
    if (this.#records.size > MOST_TABLES) {
      for (const [oldest] of this.#records.entries()) {
        this.drop(oldest);
        break;
      }
    }
    return record;
  }
}
