import type { EntityMetadata, QueryRunner } from 'typeorm';
import type { Codec } from '../core/lookup.js';
import type { ObservedConnection } from './connection.js';
import type { CacheOp } from './profiles.js';
import { BuilderKeys } from './builder-key.js';
import type { FrontDoor } from './front-door.js';
import {
  detached,
  type EntitiesAndRaw,
  graphVariant,
  isConstant,
  type Internals,
  mainMetadata,
  rawOp,
  type Row,
  ROWS,
  silent,
  storesGraph,
  subjectOf,
  textOf,
  uncached,
  withoutResultCache,
} from './builder-internals.js';
import { broadcastLoad, type GraphPlan } from './graph-plan.js';
import type { ReadDecision, ReadDoor, ReadQuery } from './read-door.js';

type BuilderClass = new (...args: never[]) => object;

/** Finds the observed connection of a runner; `undefined`: one that does not exist yet. */
export type ConnectionOf = (runner: QueryRunner | undefined) => ObservedConnection | undefined;

/** How a builder is asked for entities; raw rows are asked for when neither is set. */
const WANTS = Symbol('cacheops.wants');
const EXISTS_OF = Symbol('cacheops.existsOf');
const LOAD_GRAPH = Symbol('cacheops.loadGraph');
const READ = Symbol('cacheops.read');

/** The entities of a builder of ours from the database, before `afterLoad`. */
export const loadGraph = (builder: object): Promise<object[]> =>
  (builder as { [LOAD_GRAPH](): Promise<object[]> })[LOAD_GRAPH]();

/** What the overrides work with. */
interface Kit {
  readonly base: Internals &
    Record<
      'getOne' | 'getMany' | 'getManyAndCount' | 'getRawAndEntities' | 'whereExists',
      (...args: unknown[]) => unknown
    >;
  readonly door: ReadDoor;
  readonly front: FrontDoor;
  readonly keys: BuilderKeys;
  readonly connectionOf: ConnectionOf;
}

/**
 * Makes a SelectQueryBuilder class that reads through the door. The base class is taken from a builder of the very
 * DataSource, so that it is the right one even where two copies of typeorm are installed.
 */
export function cachedSelectBuilder(
  Base: BuilderClass,
  door: ReadDoor,
  front: FrontDoor,
  connectionOf: ConnectionOf,
): BuilderClass {
  const kit: Kit = {
    base: Base.prototype as Kit['base'],
    door,
    front,
    keys: new BuilderKeys(),
    connectionOf,
  };

  class CachedSelectQueryBuilder extends Base {
    [WANTS]?: CacheOp | undefined;
    [EXISTS_OF]?: Internals;

    getOne(): unknown {
      return this[READ]('get', 'getOne');
    }

    getMany(): unknown {
      return this[READ]('fetch', 'getMany');
    }

    getManyAndCount(): unknown {
      return this[READ]('fetch', 'getManyAndCount');
    }

    [READ](op: CacheOp, method: 'getOne' | 'getMany' | 'getManyAndCount'): unknown {
      // TypeORM's own reads for a write come here: whatever is wanted, they are not served.
      if (door.shared.context.bypass) return kit.base[method].call(this);
      return wanting(this, op, () => kit.base[method].call(this));
    }

    getRawAndEntities(): unknown {
      return readKnown(kit, this as unknown as Internals, this[WANTS]);
    }

    whereExists(sub: Internals): unknown {
      this[EXISTS_OF] = sub;
      return kit.base.whereExists.call(this, sub);
    }

    executeEntitiesAndRawResults(runner: QueryRunner): Promise<EntitiesAndRaw> {
      return readEntities(kit, this as unknown as Internals, this[WANTS], runner);
    }

    loadRawResults(runner: QueryRunner): Promise<Row[]> {
      return readRows(kit, this as unknown as Internals, this[WANTS], this[EXISTS_OF], runner);
    }

    async [LOAD_GRAPH](): Promise<object[]> {
      const self = this as unknown as Internals;
      const runner = self.queryRunner ?? self.dataSource.createQueryRunner('master');
      try {
        return (await kit.base.executeEntitiesAndRawResults.call(silent(self), runner)).entities;
      } finally {
        if (runner !== self.queryRunner) await runner.release();
      }
    }
  }
  return CachedSelectQueryBuilder;
}

/**
 * Entities of a query that has been decided about before: by what the builder holds, without its statement and without
 * a connection.
 */
function readKnown(
  { base, door, front, keys, connectionOf }: Kit,
  self: Internals,
  op: CacheOp | undefined,
): unknown {
  const bare = (): unknown => base.getRawAndEntities.call(self);
  if (op === undefined || !mainMetadata(self)) return bare();
  if (door.refusal(subjectOf(self, op), connectionOf(self.queryRunner)) !== undefined) return bare();
  // As TypeORM's method does first.
  self.expressionMap.queryEntity = true;
  const key = keys.of(self);
  if (key === undefined) return bare();
  const plan = front.find(`${op}:${key}`);
  if (!plan) return front.learning(`${op}:${key}`, bare);
  return door.hasNoGraph(plan.sql) ? bare() : readPlanned(base, door, self, plan);
}

async function readPlanned(
  base: Kit['base'],
  door: ReadDoor,
  self: Internals,
  plan: GraphPlan,
): Promise<EntitiesAndRaw> {
  const entities = await door.shared.cache.getOrSet({
    ...plan,
    patient: true,
    load: () => loadGraph(self),
    detach: () => detachedLoad(base, self),
  });
  await broadcastLoad(plan, entities, () => self.queryRunner ?? self.dataSource.createQueryRunner());
  return { entities, raw: [] };
}

/** The same load, on a connection of its own. */
function detachedLoad(base: Kit['base'], self: Internals): () => Promise<object[]> {
  const copy = detached(silent(self));
  return () =>
    onOwn(copy, async (runner) => (await base.executeEntitiesAndRawResults.call(copy, runner)).entities);
}

/** Entities as one graph from one entry, or as TypeORM makes them from rows that may be cached. */
function readEntities(
  { base, door, front, connectionOf }: Kit,
  self: Internals,
  op: CacheOp | undefined,
  runner: QueryRunner,
): Promise<EntitiesAndRaw> {
  if (op === undefined || !storesGraph(self)) return base.executeEntitiesAndRawResults.call(self, runner);
  const query = (): ReadQuery => textOf(self, graphVariant(self));
  const decision = door.decide(subjectOf(self, op), connectionOf(runner), query);
  if ('refusal' in decision) return base.executeEntitiesAndRawResults.call(uncached(self), runner);
  if (door.hasNoGraph(decision.sql)) return base.executeEntitiesAndRawResults.call(self, runner);
  const metadata = mainMetadata(self) as EntityMetadata;
  const listens = self.expressionMap.callListeners;
  const plan: GraphPlan = { ...decision, metadata, listens, codec: graphCodec(door, metadata, decision.sql) };
  if (!self.expressionMap.useTransaction && isConstant(self)) front.keep(plan);
  return readGraph(base, door, self, runner, plan);
}

async function readGraph(
  base: Kit['base'],
  door: ReadDoor,
  self: Internals,
  runner: QueryRunner,
  plan: GraphPlan,
): Promise<EntitiesAndRaw> {
  const load = async (primary: QueryRunner): Promise<object[]> =>
    (await base.executeEntitiesAndRawResults.call(silent(self), primary)).entities;
  const entities = await door.shared.cache.getOrSet({
    ...plan,
    patient: true,
    load: () => onPrimary(self, runner, load),
    detach: () => detachedLoad(base, self),
  });
  await broadcastLoad(plan, entities, () => runner);
  return { entities, raw: [] };
}

/** Raw rows: counts, sums, `exists`, raw results, and the rows of entities that are not stored as a graph. */
function readRows(
  { base, door, connectionOf }: Kit,
  self: Internals,
  wants: CacheOp | undefined,
  existsOf: Internals | undefined,
  runner: QueryRunner,
): Promise<Row[]> {
  const load = (on: QueryRunner): Promise<Row[]> => base.loadRawResults.call(uncached(self), on);
  if (door.shared.context.bypass) return load(runner);
  const decision = decideRaw(self, door, connectionOf(runner), wants, existsOf);
  if ('refusal' in decision) return load(runner);
  return door.shared.cache.getOrSet<Row[]>({
    ...decision,
    codec: door.shared.rowsCodec as Codec<Row[]>,
    patient: true,
    load: () => onPrimary(self, runner, load),
    detach: () => {
      const copy = detached(withoutResultCache(self));
      return () => onOwn(copy, base.loadRawResults.bind(copy));
    },
  });
}

async function wanting<T>(
  builder: { [WANTS]?: CacheOp | undefined },
  op: CacheOp,
  work: () => T,
): Promise<Awaited<T>> {
  builder[WANTS] = op;
  try {
    return await work();
  } finally {
    // Not deleted: that would make a slow dictionary of the builder.
    builder[WANTS] = undefined;
  }
}

function decideRaw(
  self: Internals,
  door: ReadDoor,
  connection: ObservedConnection | undefined,
  wants: CacheOp | undefined,
  existsOf: Internals | undefined,
): ReadDecision {
  const source = mainMetadata(self) ? self : existsOf;
  if (!source || !mainMetadata(source)) return { refusal: 'the query does not start from an entity' };
  return door.decide(subjectOf(source, wants ?? rawOp(self, existsOf)), connection, () => textOf(self, ROWS));
}

/**
 * Fills from the primary. A replica that lags would give the row of before a commit to a reader that pinned its stamps
 * after it, and nothing would ever restamp that entry.
 */
async function onPrimary<T>(
  { dataSource }: Internals,
  runner: QueryRunner,
  load: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  if (!dataSource.driver.isReplicated || runner.getReplicationMode() === 'master') return load(runner);
  return onOwn({ dataSource }, load);
}

/** On a connection to the primary that nobody else uses. */
async function onOwn<T>(
  { dataSource }: Pick<Internals, 'dataSource'>,
  load: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  const primary = dataSource.createQueryRunner('master');
  try {
    return await load(primary);
  } finally {
    await primary.release();
  }
}

function graphCodec(door: ReadDoor, metadata: EntityMetadata, sql: string): Codec<object[]> {
  return {
    encode: (entities) => {
      const payload = door.shared.entityCodec.encode(metadata, entities);
      if (payload === undefined) door.setNoGraph(sql);
      return payload;
    },
    decode: (payload) => door.shared.entityCodec.decode(metadata, payload),
    near: {
      open: (payload) => door.shared.entityCodec.open(payload),
      make: (form) => door.shared.entityCodec.make(metadata, form),
    },
  };
}
