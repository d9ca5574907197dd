import type { ObjectLiteral } from 'typeorm';
import { CacheOpsSerializationError } from '../../cacheops.errors.js';
import { isDeclared, type ObjectPlan } from './class-plan.js';
import { NULL, REFERENCE, UNDEFINED, type Shape, type Slot } from './shape.js';

/** Where one decoding stands. */
export interface Cursor {
  readonly stream: readonly unknown[];
  position: number;
  readonly readers: readonly ShapeReader[];
  /** Entities in the order they began; null when the stream refers to none of them. */
  readonly begun: object[] | null;
}

/** Reads an entity whose shape index the cursor has just passed. */
export type ShapeReader = (cursor: Cursor) => object;

/** A slot that is resolved against the classes of this process. `offset` counts values from the entity's start. */
type Step =
  | { readonly kind: 'value' | 'date'; readonly key: string; readonly offset: number }
  | { readonly kind: 'one' | 'many'; readonly key: string }
  | {
      readonly kind: 'embedded';
      readonly key: string;
      readonly create: () => object;
      readonly steps: readonly Step[];
    };

/** Code generation is refused under `--disallow-code-generation-from-strings`; the readers are the same either way. */
export type ReaderFactory = (plan: ObjectPlan, shape: Shape) => ShapeReader;

export function readEntity(cursor: Cursor): object | null | undefined {
  const tag = cursor.stream[cursor.position++] as number;
  if (tag >= 0) return cursor.readers[tag]!(cursor);
  if (tag === NULL) return null;
  if (tag === UNDEFINED) return undefined;
  const entity = tag === REFERENCE ? cursor.begun?.[cursor.stream[cursor.position++] as number] : undefined;
  if (!entity) throw new CacheOpsSerializationError('entity', 'The stored graph is damaged');
  return entity;
}

function readEntities(cursor: Cursor): unknown[] | null | undefined {
  const length = cursor.stream[cursor.position++] as number;
  if (length === NULL) return null;
  if (length === UNDEFINED) return undefined;
  const list: unknown[] = [];
  for (let i = 0; i < length; i++) list.push(readEntity(cursor));
  return list;
}

/** A reader as straight-line code: one assignment a property, no lookups. */
export const generateReader: ReaderFactory = (plan, shape) => {
  const { steps, width } = resolve(plan, shape);
  const creates: (() => object)[] = [];
  const lines: string[] = [];
  const emit = (target: string, list: readonly Step[]): void => {
    for (const step of list) {
      const property = `${target}[${JSON.stringify(step.key)}]`;
      if (step.kind === 'embedded') {
        const part = `part${creates.push(step.create)}`;
        lines.push(`const ${part} = (${property} ??= creates[${creates.length - 1}]());`);
        emit(part, step.steps);
      } else {
        lines.push(`${property} = ${expressionOf(step)};`);
      }
    }
  };
  emit('entity', steps);
  const body = `return (cursor) => {
    const stream = cursor.stream, at = cursor.position;
    cursor.position = at + ${width};
    const entity = create();
    if (cursor.begun !== null) cursor.begun.push(entity);
    ${lines.join('\n')}
    return entity;
  };`;
  // The text holds property names, as JSON strings, and nothing else from outside.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const make = new Function('create', 'creates', 'toDate', 'one', 'many', body) as (
    ...scope: unknown[]
  ) => ShapeReader;
  return make(plan.create, creates, toDate, readEntity, readEntities);
};

function expressionOf(step: Exclude<Step, { kind: 'embedded' }>): string {
  switch (step.kind) {
    case 'value':
      return `stream[at + ${step.offset}]`;
    case 'date':
      return `toDate(stream[at + ${step.offset}])`;
    default:
      return `${step.kind}(cursor)`;
  }
}

/** The same reader as a loop. */
export const interpretReader: ReaderFactory = (plan, shape) => {
  const { steps, width } = resolve(plan, shape);
  const fill = (target: ObjectLiteral, list: readonly Step[], cursor: Cursor, at: number): void => {
    for (const step of list) {
      if (step.kind === 'value') target[step.key] = cursor.stream[at + step.offset];
      else if (step.kind === 'date') target[step.key] = toDate(cursor.stream[at + step.offset]);
      else if (step.kind === 'embedded') {
        fill((target[step.key] ??= step.create()) as ObjectLiteral, step.steps, cursor, at);
      } else target[step.key] = step.kind === 'one' ? readEntity(cursor) : readEntities(cursor);
    }
  };
  return (cursor) => {
    const at = cursor.position;
    cursor.position = at + width;
    const entity = plan.create();
    cursor.begun?.push(entity);
    fill(entity, steps, cursor, at);
    return entity;
  };
};

function toDate(stored: unknown): unknown {
  return typeof stored === 'number' ? new Date(stored) : stored;
}

/** @throws CacheOpsSerializationError if the schema of this process lacks a property that the shape declares. */
function resolve(root: ObjectPlan, shape: Shape): { steps: Step[]; width: number } {
  let width = 0;
  const stepsOf = (slots: readonly Slot[], plan: ObjectPlan): Step[] =>
    slots.map((slot): Step => {
      const [kind, key, declared] = slot;
      const embedded = plan.embedded.get(key);
      if ((declared && !isDeclared(plan, key)) || (kind === 'embedded' && !embedded)) {
        throw new CacheOpsSerializationError(
          `${shape.entity}.${key}`,
          'The stored property is not in the schema',
        );
      }
      if (kind === 'value' || kind === 'date') return { kind, key, offset: width++ };
      if (kind !== 'embedded') return { kind, key };
      return { kind, key, create: embedded!.create, steps: stepsOf(slot[3], embedded!) };
    });
  return { steps: stepsOf(shape.slots, root), width };
}
