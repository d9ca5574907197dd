import type { TableShape, TokenState } from '../drivers/cache-driver.interface.js';
import type { Dependencies } from './dependencies.js';

/**
 * Which shapes this process knows to be registered. The knowledge of a table is tied to the stamp of `t:{table}`:
 * a registry that was lost and made again restamps it, so under an unchanged stamp the shapes are still there - or
 * the registry is gone, and then the next writer of the table restamps `t:{table}`, which every entry depends on.
 */
export class ShapeKnowledge {
  private readonly tables = new Map<string, { stamp: TokenState; shapes: Set<string> }>();

  /** Shapes that must be registered before the stamps in `states` can be relied on. */
  unknown({ shapes }: Dependencies, states: readonly TokenState[]): readonly TableShape[] {
    return shapes.filter(({ table, shape, tableAt }) => {
      const known = this.tables.get(table);
      return !known || known.stamp !== states[tableAt] || !known.shapes.has(shape);
    });
  }

  learn({ shapes }: Dependencies, states: readonly TokenState[]): void {
    for (const { table, shape, tableAt } of shapes) {
      const stamp = states[tableAt];
      if (stamp === undefined || stamp === 'pending') continue;
      let known = this.tables.get(table);
      if (known?.stamp !== stamp) this.tables.set(table, (known = { stamp, shapes: new Set() }));
      known.shapes.add(shape);
    }
  }
}
