import type { DataSource, EntityMetadata } from 'typeorm';
import { CacheOpsSerializationError } from '../../cacheops.errors.js';
import type { Serializer } from '../../core/serializer.js';
import type { NearForm } from '../../drivers/near-entries.interface.js';
import { UnstorableGraph, type ObjectPlan } from './class-plan.js';
import { EntityClasses } from './entity-classes.js';
import { GraphWriter } from './graph-writer.js';
import { KeptGraph } from './kept-graph.js';
import type { Payload, Shape } from './shape.js';
import {
  generateReader,
  interpretReader,
  readEntity,
  type Cursor,
  type ShapeReader,
} from './shape-reader.js';

export interface EntityCodecOptions {
  /** Whether readers may be compiled with `new Function`; where the runtime refuses it, they are not. Default true. */
  readonly codeGeneration?: boolean;
}

/** Shapes follow from the queries in the code; more than this many means that selections are made up at run time. */
const MAX_READERS = 2000;

/**
 * Stores what TypeORM's hydrator made (before `afterLoad`) and makes it again without the hydrator.
 *
 * Decoding calls what TypeORM calls (the constructor, `create()` of embedded objects, lazy relations on no query
 * runner), then assigns what the entity had, in the same order. A value that a column's transformer made is stored
 * as the transformer made it, so `from` does not run on a hit. An entity that occurs twice in a graph occurs twice
 * in the copy. A graph that would not come back equal is not stored: classes with accessors for columns, functions,
 * instances of classes that the serializer does not know.
 */
export class EntityCodec {
  private readonly classes: EntityClasses;
  private readonly readers = new Map<string, ShapeReader>();
  private generates: boolean;

  constructor(
    dataSource: DataSource,
    private readonly serializer: Serializer,
    options: EntityCodecOptions = {},
  ) {
    this.classes = new EntityClasses(dataSource);
    this.generates = options.codeGeneration ?? true;
  }

  /**
   * @param metadata of the query's main alias.
   * @returns undefined when the graph cannot be stored exactly: store raw rows and let TypeORM hydrate.
   */
  encode(metadata: EntityMetadata, entities: readonly object[]): Buffer | undefined {
    try {
      return this.serializer.encode(new GraphWriter(this.classes).write(metadata, entities));
    } catch (error) {
      if (error instanceof UnstorableGraph || error instanceof CacheOpsSerializationError) return undefined;
      throw error;
    }
  }

  /**
   * New objects each time, equal to those that were encoded, in this process or another.
   *
   * @throws CacheOpsSerializationError if the bytes are damaged, or are of a schema that this process does not have.
   */
  decode(metadata: EntityMetadata, bytes: Buffer): object[] {
    try {
      const payload = this.serializer.decode(bytes) as Payload;
      return this.read(metadata, payload, this.readersOf(payload));
    } catch (error) {
      throw unreadable(error);
    }
  }

  /**
   * What `decode` does before it makes entities, for a graph that stays in this process; `undefined` for one that
   * cannot.
   * @throws as `decode`
   */
  open(bytes: Buffer): NearForm | undefined {
    try {
      const payload = this.serializer.decode(bytes) as Payload;
      return KeptGraph.of(payload, this.readersOf(payload));
    } catch (error) {
      throw unreadable(error);
    }
  }

  /** What is left of `decode` for a form of `open`. */
  make(metadata: EntityMetadata, form: NearForm): object[] {
    const { payload, readers } = form as KeptGraph;
    return this.read(metadata, payload, readers);
  }

  private readersOf([, shapes]: Payload): readonly ShapeReader[] {
    return shapes.map((shape) => this.readerOf(shape));
  }

  private read(
    metadata: EntityMetadata,
    [root, , hasReferences, count, stream]: Payload,
    readers: readonly ShapeReader[],
  ): object[] {
    if (this.classes.withId(root) !== metadata) {
      throw new CacheOpsSerializationError(
        'entities',
        `The stored graph is of ${root}, not of ${metadata.name}`,
      );
    }
    const cursor: Cursor = { stream, position: 0, readers, begun: hasReferences ? [] : null };
    const entities: object[] = [];
    for (let i = 0; i < count; i++) entities.push(readEntity(cursor)!);
    if (cursor.position !== stream.length) {
      throw new CacheOpsSerializationError(
        'entities',
        'The stored graph has another length than its shapes say',
      );
    }
    return entities;
  }

  private readerOf(text: string): ShapeReader {
    const known = this.readers.get(text);
    if (known) return known;
    const shape = JSON.parse(text) as Shape;
    const metadata = this.classes.withId(shape.entity);
    if (!metadata)
      throw new CacheOpsSerializationError(shape.entity, 'The stored entity is not in the schema');
    const reader = this.createReader(this.classes.planOf(metadata), shape);
    if (this.readers.size >= MAX_READERS) this.readers.clear();
    this.readers.set(text, reader);
    return reader;
  }

  private createReader(plan: ObjectPlan, shape: Shape): ShapeReader {
    if (this.generates) {
      try {
        return generateReader(plan, shape);
      } catch (error) {
        if (!(error instanceof EvalError)) throw error;
        this.generates = false;
      }
    }
    return interpretReader(plan, shape);
  }
}

function unreadable(error: unknown): CacheOpsSerializationError {
  if (error instanceof CacheOpsSerializationError) return error;
  return new CacheOpsSerializationError('entities', 'The stored graph cannot be read', { cause: error });
}
