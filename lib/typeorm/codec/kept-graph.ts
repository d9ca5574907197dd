import { primitiveBytes } from '../../core/kept-value.js';
import type { NearForm } from '../../drivers/near-entries.interface.js';
import type { Payload } from './shape.js';
import type { ShapeReader } from './shape-reader.js';

/** Estimates, not measured yet. */
const GRAPH_BYTES = 300;
const PLACE_BYTES = 8;

/** A graph that stays in memory, unpacked but for the objects: entities are made from it by assignments alone. */
export class KeptGraph implements NearForm {
  private constructor(
    readonly payload: Payload,
    readonly readers: readonly ShapeReader[],
    readonly bytes: number,
  ) {}

  /** @returns `undefined` when it holds objects (json, bytes): each graph that is made would share them */
  static of(payload: Payload, readers: readonly ShapeReader[]): KeptGraph | undefined {
    const [, , , , stream] = payload;
    let bytes = GRAPH_BYTES;
    for (const value of stream) {
      if (typeof value === 'object' && value !== null) return undefined;
      bytes += PLACE_BYTES + primitiveBytes(value);
    }
    return new KeptGraph(payload, readers, bytes);
  }
}
