import type { EntityMetadata } from 'typeorm';
import { UnstorableGraph } from './class-plan.js';
import type { EntityClasses } from './entity-classes.js';
import { hasLayout, type Layout, type LayoutSlot } from './layout.js';
import { NULL, REFERENCE, UNDEFINED, type Payload, type Shape, type Slot } from './shape.js';

/** The entities of one layout in the graph that is being written. */
interface Use {
  readonly index: number;
  readonly metadata: EntityMetadata;
  readonly layout: Layout;
  /** Where in the stream the values of each of these entities begin. */
  readonly starts: number[];
  /** By value: Dates only (true), something else too (false), nothing but null and undefined so far (undefined). */
  readonly dates: (boolean | undefined)[];
}

/** Writes one graph. A second graph needs another writer. */
export class GraphWriter {
  private readonly stream: unknown[] = [];
  private readonly uses: Use[] = [];
  private readonly usesOf = new Map<EntityMetadata, Use[]>();
  private readonly numbers = new Map<object, number>();
  private readonly parts = new Set<object>();
  private hasReferences = false;

  constructor(private readonly classes: EntityClasses) {}

  /** @throws UnstorableGraph */
  write(root: EntityMetadata, entities: readonly object[]): Payload {
    for (const entity of entities) this.writeEntity(entity, root);
    for (const use of this.uses) this.replaceDates(use);
    const shapes = this.uses.map((use) => JSON.stringify(this.shapeOf(use)));
    return [this.classes.idOf(root), shapes, this.hasReferences, entities.length, this.stream];
  }

  private writeEntity(entity: object, context: EntityMetadata | undefined): void {
    const number = this.numbers.get(entity);
    if (number !== undefined) {
      this.hasReferences = true;
      this.stream.push(REFERENCE, number);
      return;
    }
    this.numbers.set(entity, this.numbers.size);
    const use = this.useOf(this.classes.metadataOf(entity, context), entity);
    this.stream.push(use.index);
    use.starts.push(this.stream.length);
    this.writeValues(entity, use.layout, use.dates, 0);
    this.writeRelations(entity, use.layout);
  }

  private useOf(metadata: EntityMetadata, entity: object): Use {
    let uses = this.usesOf.get(metadata);
    if (!uses) this.usesOf.set(metadata, (uses = []));
    let use = uses.find(({ layout }) => hasLayout(layout, entity, this.classes.isEntity));
    if (!use) {
      const layout = this.classes.layoutOf(metadata, entity);
      use = { index: this.uses.length, metadata, layout, starts: [], dates: [] };
      this.uses.push(use);
      uses.push(use);
    }
    return use;
  }

  /** Returns the number of the next value. */
  private writeValues(object: object, layout: Layout, dates: Use['dates'], first: number): number {
    let next = first;
    for (const slot of layout.slots) {
      const value = (object as Record<string, unknown>)[slot.key];
      if (slot.embedded) {
        this.countPart(value as object);
        next = this.writeValues(value as object, slot.embedded, dates, next);
      } else if (slot.kind === 'value') {
        if (value !== null && value !== undefined) dates[next] = dates[next] !== false && isDate(value);
        this.stream.push(value);
        next++;
      }
    }
    return next;
  }

  private writeRelations(object: object, layout: Layout): void {
    for (const slot of layout.slots) {
      const value = (object as Record<string, unknown>)[slot.key];
      if (slot.embedded) this.writeRelations(value as object, slot.embedded);
      else if (slot.kind === 'one' || slot.kind === 'many') this.writeRelation(value, slot);
    }
  }

  private writeRelation(value: unknown, slot: LayoutSlot): void {
    if (value === null || value === undefined) {
      this.stream.push(value === null ? NULL : UNDEFINED);
    } else if (slot.kind === 'one') {
      this.writeEntity(value, slot.context);
    } else {
      const list = value as readonly object[];
      this.countPart(list);
      this.stream.push(list.length);
      for (const entity of list) this.writeEntity(entity, slot.context);
    }
  }

  /** Entities may be shared, lists and embedded objects have no number that a reference could name. */
  private countPart(part: object): void {
    if (this.parts.has(part)) throw new UnstorableGraph('A list or an embedded object has two owners');
    this.parts.add(part);
  }

  private replaceDates({ starts, dates }: Use): void {
    dates.forEach((isDates, offset) => {
      if (!isDates) return;
      for (const start of starts) {
        const value = this.stream[start + offset];
        if (value !== null && value !== undefined) this.stream[start + offset] = (value as Date).getTime();
      }
    });
  }

  private shapeOf({ metadata, layout, dates }: Use): Shape {
    let next = 0;
    const slotsOf = ({ slots }: Layout): Slot[] =>
      slots.flatMap((slot): Slot[] => {
        const declared = slot.declared ? 1 : 0;
        if (slot.embedded) return [['embedded', slot.key, 1, slotsOf(slot.embedded)]];
        if (slot.kind === 'value') return [[dates[next++] ? 'date' : 'value', slot.key, declared]];
        return slot.kind === 'one' || slot.kind === 'many' ? [[slot.kind, slot.key, declared]] : [];
      });
    return { entity: this.classes.idOf(metadata), slots: slotsOf(layout) };
  }
}

/** Of this class itself: another one must be left to the serializer, which refuses it. */
function isDate(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Date.prototype;
}
