import { parseShape, type Shape } from '../core/token.js';
import type { CacheDriver, ShapeRegistry, TableShape } from '../drivers/cache-driver.interface.js';

/** The shapes of one table as a writer sees them. */
export interface KnownShapes {
  /** `''`: the table has no registry. */
  readonly version: string;
  readonly texts: ReadonlySet<string>;
  readonly shapes: readonly Shape[];
}

/**
 * What this process knows of the registries. It may be old: `pend` compares versions and answers with the current
 * ones, so an old copy costs one more round trip, never a lost invalidation.
 */
export class RegistryCache {
  private readonly known = new Map<string, KnownShapes>();

  constructor(private readonly driver: CacheDriver) {}

  /** Loads the shapes of the tables never seen, in one round trip; `undefined` when there are none. */
  load(tables: Iterable<string>): Promise<void> | undefined {
    const missing = this.missing(tables);
    return missing.length === 0 ? undefined : this.fetch(missing);
  }

  /** The tables never seen. */
  missing(tables: Iterable<string>): readonly string[] {
    const missing: string[] = [];
    for (const table of tables) if (!this.known.has(table)) missing.push(table);
    return missing;
  }

  private async fetch(tables: readonly string[]): Promise<void> {
    this.learn(await this.driver.registries([...new Set(tables)]));
  }

  get(table: string): KnownShapes | undefined {
    return this.known.get(table);
  }

  /**
   * Shapes that readers of this process have just registered. The version stays the old one: `pend` will answer with
   * the registry, but by then the writer has already looked up the columns that these shapes need.
   */
  expect(shapes: readonly TableShape[]): void {
    for (const { table, shape } of shapes) {
      const known = this.known.get(table);
      if (known && !known.texts.has(shape)) {
        this.known.set(table, {
          ...known,
          texts: new Set([...known.texts, shape]),
          shapes: [...known.shapes, parseShape(shape)],
        });
      }
    }
  }

  learn(registries: ReadonlyMap<string, ShapeRegistry>): void {
    for (const [table, { version, shapes }] of registries) {
      this.known.set(table, { version, texts: new Set(shapes), shapes: shapes.map(parseShape) });
    }
  }
}
