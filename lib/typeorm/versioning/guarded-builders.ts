import type { ObjectLiteral } from 'typeorm';
import type { Expectation } from './expectations.js';
import type { StatementGuard } from './statement-guard.js';
import type { WriteBuilder, WriteResult } from './write-builder.js';

interface Writes extends WriteBuilder {
  where(criteria: unknown, parameters?: ObjectLiteral): this;
  andWhere(condition: ObjectLiteral): this;
  whereEntity(entity: unknown): this;
  execute(): Promise<WriteResult>;
  clone(): this;
  createUpdateExpression(): string;
  createInsertExpression(): string;
  createReturningExpression(type: string): string;
}

type BuilderClass = new (...args: never[]) => object;
type Method = (this: never, ...args: never[]) => unknown;

/** Methods that hand out a builder of another class. */
const MAKERS = ['update', 'delete', 'softDelete', 'restore', 'insert', 'relation'] as const;

/** What the rows of this builder's statement must be like. */
const EXPECTED = Symbol('cacheops.expected');

interface Expecting extends Writes {
  [EXPECTED]?: readonly Expectation[] | undefined;
}

/**
 * A class of builders that puts versions into the statements of those who begin to write with it
 * (`createQueryBuilder().update()`). TypeORM makes the latter by classes of its own; they get prototypes above those.
 */
export function guardedBuilders(Base: BuilderClass, guard: StatementGuard): BuilderClass {
  const classes = new Map<BuilderClass, BuilderClass>();
  const guardedClass = (Plain: BuilderClass): BuilderClass => {
    let Guarded = classes.get(Plain);
    if (!Guarded) {
      const base = Plain.prototype as Writes;
      Guarded = extend(Plain, { ...making(base, guardedClass), ...writing(base, guard) });
      classes.set(Plain, Guarded);
      classes.set(Guarded, Guarded);
    }
    return Guarded;
  };
  return extend(Base, making(Base.prototype as Writes, guardedClass));
}

/** A subclass with those of the methods that its base has too. */
function extend(Base: BuilderClass, methods: Readonly<Record<string, Method>>): BuilderClass {
  const Extended = class extends Base {};
  for (const [name, value] of Object.entries(methods)) {
    if (name in (Base.prototype as object))
      Object.defineProperty(Extended.prototype, name, { value, writable: true, configurable: true });
  }
  return Extended;
}

function making(base: object, guardedClass: (Plain: BuilderClass) => BuilderClass): Record<string, Method> {
  const plain = base as Record<string, (...args: unknown[]) => object>;
  const made = MAKERS.map((name) => {
    const method = function (this: object, ...args: unknown[]): object {
      const builder = plain[name]?.apply(this, args) as object;
      if (builder === this) return builder;
      const { prototype } = guardedClass(builder.constructor as BuilderClass);
      return Object.setPrototypeOf(builder, prototype as object) as object;
    };
    return [name, method] as const;
  });
  return Object.fromEntries(made);
}

function writing(base: Writes, guard: StatementGuard): Record<string, Method> {
  return {
    where(this: Expecting, criteria: unknown, parameters?: ObjectLiteral) {
      const { conditions, expected } = guard.where(this, criteria);
      this[EXPECTED] = expected;
      return base.where.call(this, conditions, parameters);
    },
    whereEntity(this: Expecting, entity: unknown) {
      base.whereEntity.call(this, entity);
      const expectation = guard.armed(entity);
      this[EXPECTED] = expectation && [expectation];
      if (expectation?.seen) this.andWhere(expectation.versioned.version.condition(expectation.seen));
      return this;
    },
    execute(this: Expecting) {
      const run = (): Promise<WriteResult> => base.execute.call(this);
      const expected = this[EXPECTED];
      return expected?.some(({ seen }) => seen) ? guard.execute(this, expected, run) : run();
    },
    clone(this: Expecting) {
      const copy = base.clone.call(this) as Expecting;
      copy[EXPECTED] = this[EXPECTED];
      return copy;
    },
    createUpdateExpression(this: Expecting) {
      return guard.update(this, this[EXPECTED]?.[0], () => base.createUpdateExpression.call(this));
    },
    createInsertExpression(this: Expecting) {
      return guard.insert(this, () => base.createInsertExpression.call(this));
    },
    createReturningExpression(this: Expecting, type: string) {
      return guard.returning(this, base.createReturningExpression.call(this, type));
    },
  };
}
